"""The platform's figures, asked for as Prometheus does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx

from hub_config.platform.logic.capacity import CapacityBoard
from hub_config.platform.logic.status import StatusBoard
from hub_config.platform.store.database import Database
from imagine_lib.wire import Capacity, GPUCapacity, ServiceState
from tests.platform.conftest import free_port, until

if TYPE_CHECKING:
    import pytest


def test_figures_are_on_a_port_of_their_own_and_name_routes_and_not_people(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("IMAGINE_PLATFORM__METRICS_LISTEN", address)
    _, platform = serve()
    ada = platform.user("ada")
    assert ada.get("/models/ada/secret-name").status_code == 404
    assert ada.get("/metrics").status_code == 404
    database = Database(platform.settings.platform.database_url)
    StatusBoard(database).record([ServiceState(name="IAM", state="down")], every=60)
    seen = Capacity(gpus=[GPUCapacity(flavour="a100", title="A100", total=8, free=3)], measured=datetime.now(UTC))
    CapacityBoard(database, {}).record(seen, every=60)
    database.close()

    text = until(lambda: httpx.get(f"http://{address}/metrics", trust_env=False).text)
    assert 'imagine_request_seconds_count{method="GET",route="/models/{owner}/{name}",status="404"} 1.0' in text
    assert "secret-name" not in text
    assert 'imagine_service_up{service="IAM"} 0.0' in text
    assert 'imagine_service_up{service="hub"}' not in text  # nobody has looked yet
    assert 'imagine_gpus{flavour="a100",state="free"} 3.0' in text
