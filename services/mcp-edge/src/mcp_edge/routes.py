"""Which path of the REST interface asks for which tool. Names in braces are arguments."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Route:
    """`whole`: the path concerns the whole organisation, so it takes no agent although the tool may."""

    method: str
    path: str
    tool: str
    status: int = 200
    whole: bool = False


ROUTES = (
    Route("GET", "/v1/me", "comms_ping"),
    Route("POST", "/v1/organizations", "comms_create_organization", 201),
    Route("GET", "/v1/organizations", "comms_list_organizations"),
    Route("POST", "/v1/projects", "comms_create_project", 201),
    Route("POST", "/v1/agents", "comms_provision_channels", 201),
    Route("GET", "/v1/agents", "comms_get_channel_status", whole=True),
    Route("GET", "/v1/agents/{agent}", "comms_get_channel_status"),
    Route("DELETE", "/v1/agents/{agent}", "comms_deprovision_channels"),
    Route("GET", "/v1/agents/{agent}/provisioning", "comms_provisioning_trace"),
    Route("GET", "/v1/provisionings/{saga}", "comms_provisioning_trace", whole=True),
    Route("POST", "/v1/agents/{agent}/messages", "comms_send_message", 202),
    Route("GET", "/v1/agents/{agent}/messages", "comms_get_messages"),
    Route("GET", "/v1/agents/{agent}/messages/{message}/trace", "comms_trace"),
    Route("GET", "/v1/messages/{message}/trace", "comms_trace", whole=True),
    Route("POST", "/v1/messages/{message}/decision", "comms_decide_unknown"),
    Route("GET", "/v1/unresolved", "comms_list_unresolved"),
    Route("POST", "/v1/agents/{agent}/inbox/lease", "comms_get_waiting_messages"),
    Route("POST", "/v1/agents/{agent}/inbox/ack", "comms_ack_messages"),
    Route("POST", "/v1/agents/{agent}/consent/check", "comms_check_consent"),
    Route("POST", "/v1/agents/{agent}/consent/record", "comms_record_consent"),
    Route("POST", "/v1/agents/{agent}/consent/revoke", "comms_revoke_consent"),
    Route("GET", "/v1/usage", "comms_get_usage_dashboard", whole=True),
    Route("GET", "/v1/agents/{agent}/usage", "comms_get_usage_dashboard"),
    Route("GET", "/v1/limits", "comms_get_limits", whole=True),
    Route("PUT", "/v1/limits", "comms_set_agent_limits", whole=True),
    Route("GET", "/v1/agents/{agent}/limits", "comms_get_limits"),
    Route("PUT", "/v1/agents/{agent}/limits", "comms_set_agent_limits"),
    Route("GET", "/v1/billing/summary", "comms_get_billing_summary"),
    Route("PUT", "/v1/billing/config", "comms_set_billing_config"),
    Route("GET", "/v1/prices", "comms_get_price_book"),
    Route("PUT", "/v1/kill-switch", "comms_set_kill_switch", whole=True),
    Route("PUT", "/v1/agents/{agent}/kill-switch", "comms_set_kill_switch"),
    Route("PUT", "/v1/destinations", "comms_set_destinations"),
    Route("POST", "/v1/tokens", "comms_issue_token", 201, whole=True),
    Route("GET", "/v1/tokens", "comms_list_tokens", whole=True),
    Route("DELETE", "/v1/tokens/{token_id}", "comms_revoke_token"),
    Route("POST", "/v1/agents/{agent}/tokens", "comms_issue_token", 201),
    Route("GET", "/v1/agents/{agent}/tokens", "comms_list_tokens"),
    Route("GET", "/v1/alerts", "comms_list_alerts"),
    Route("GET", "/v1/audit", "comms_get_audit_status"),
)
