"""Records a Mattermost server's traffic as a fixture, and replays a fixture in place of the server. Not part of the
message path."""
