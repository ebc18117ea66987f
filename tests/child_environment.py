"""The host's tools in a process of their own, without a model: `python -m tests.child_environment before`.

Prints as JSON, for each way in which the host starts a process, the names of the variables which that process gets. The
argument says whether the modules of the tools are imported "before" or "after" the plugins register.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import sys
from typing import Any

ENVIRONMENTS = ("tools.environments.local", "tools.environments.local_env_policy", "tools.environments.docker")
MODULES = (*ENVIRONMENTS, "tools.env_passthrough", "tools.process_registry", "tools.terminal_tool")
"""Some are not in every version."""
PRINT_NAMES = "import os; print('\\n'.join(f'{name}=' for name in os.environ))"


def main(order: str) -> dict[str, list[str]]:
    home = os.environ["HERMES_HOME"]
    _module("hermes_cli.env_loader").load_hermes_dotenv(hermes_home=home)
    if order == "before":
        _import_tools()
    plugins = _module("hermes_cli.plugins")
    plugins.discover_plugins()
    _import_tools()
    local, registry = _module("tools.environments.local"), _module("tools.process_registry").process_registry
    before_any_turn = list(local._sanitize_subprocess_env(dict(os.environ)))
    # The host does this before every turn.
    plugins.invoke_hook("pre_llm_call", user_message="hi", turn_id="", sender_id="")
    # In a multiplexing gateway, a profile's own variables are in a scope.
    _module("agent.secret_scope").set_secret_scope({"HARDENED_MATTERMOST_TOKEN": "the profile's", "LC_CONTROL": "1"})

    background = registry.spawn_local("env", cwd=home)
    terminal = _module("tools.terminal_tool").terminal_tool(command="env")
    code = _module("tools.code_execution_tool").execute_code(code=PRINT_NAMES, task_id="one")
    mcp = _module(next(filter(_exists, ("tools.mcp_tool_config", "tools.mcp_tool"))))
    return {
        "before any turn": before_any_turn,
        "terminal": _names(json.loads(terminal)["output"]),
        "environment": _names(local.LocalEnvironment(cwd=home).execute("env")["output"]),
        "background": _names(registry.wait(background.id, timeout=30)["output"]),
        "code": _names(json.loads(code)["output"]),
        "script": list(local._sanitize_subprocess_env(dict(os.environ))),
        "helper": list(local.hermes_subprocess_env()),
        "model's own": list(local.hermes_subprocess_env(inherit_credentials=True)),
        "mcp": list(mcp._build_safe_env(None)),
        "docker": list(_module("tools.env_passthrough").get_all_passthrough()),
    }


def _import_tools() -> None:
    for name in filter(_exists, MODULES):
        _module(name)


def _exists(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _module(name: str) -> Any:
    return importlib.import_module(name)


def _names(output: str) -> list[str]:
    return re.findall(r"^(\w+)=", output, re.MULTILINE)


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])), flush=True)
    # The host's threads would keep the process.
    os._exit(0)
