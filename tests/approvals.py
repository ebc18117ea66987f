"""Parts of the host that ask for approvals: in tools/approval.py, since 0.21.5 in modules beside it."""

from __future__ import annotations

from typing import Any

from hermes_hardened_adapters.common.host.contract.names import HostName


def _part(name: str) -> Any:
    modules = ("tools.approval_context", "tools.approval_gateway_wait", "tools.approval")
    return HostName(tuple(f"{module}:{name}" for module in modules)).load()


Approval = _part("_ApprovalEntry")
fire_hook = _part("_fire_approval_hook")
set_context = _part("set_current_observability_context")
reset_context = _part("reset_current_observability_context")
