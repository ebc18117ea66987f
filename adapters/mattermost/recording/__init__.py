"""Recording a Mattermost server's traffic as a fixture, and serving a fixture in the server's place. No part of the
message path."""
