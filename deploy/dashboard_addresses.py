"""Where Grafana finds the store, and where we find a Grafana."""

from urllib.parse import unquote, urlsplit

from dashboards.provisioning import GateAddress
from dashboards.push import GrafanaAddress
from deploy.stackfile import StackFile


def gate_address(stack: StackFile) -> GateAddress:
    """The store, as a Grafana on the same network reaches it."""
    place = urlsplit(stack.gate)
    return GateAddress(
        place.hostname or "",
        place.port or 0,
        stack.gate_user,
        stack.gate_password,
        stack.database,
        secure=place.scheme == "https",
    )


def grafana_address(url: str) -> GrafanaAddress:
    """A Grafana given as `http://user:password@host:3000`; a user `token` gives a service account's token."""
    place = urlsplit(url)
    bare = url.replace(f"{place.netloc.rpartition('@')[0]}@", "", 1)
    user, password = unquote(place.username or "admin"), unquote(place.password or "")
    if user == "token":
        return GrafanaAddress(bare, token=password)
    return GrafanaAddress(bare, user=user, password=password)
