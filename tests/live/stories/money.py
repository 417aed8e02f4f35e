"""What texts and numbers cost, and that the books add up."""

from __future__ import annotations

from tests.live.world import Tenant, World, eventually

RENT, TEXT = 1_150_000, 8_300


class TestMoney:
    def test_the_books_agree_with_the_provider_once_its_prices_have_come(self, world: World) -> None:
        tenant = world.tenant("Book Shop")
        agent, person = tenant.agent(), world.person()
        world.operator.ask("PUT", "/v1/billing/config", organisation=tenant.id, markup_percent=50)
        world.fault("price_late", address=person, seconds=1)
        world.text(person, agent.number, "Do you have any poetry?")
        sent = agent.send(person, "Yes, two shelves of it. " * 10)
        assert sent["segments"] == 2
        held = tenant.office.ask("GET", "/v1/billing/summary")
        assert held["balanced"]
        trace = agent.trace(sent["message"], until="priced")
        provider = world.provider.messages(trace["provider_id"]).fetch()
        assert (provider.price, provider.num_segments) == ("-0.01660", "2")

        def settled() -> dict[str, int] | None:
            lines = tenant.office.ask("GET", "/v1/usage")["lines"]
            costs = {line["kind"]: line["cost"]["micros"] for line in lines}
            return costs if len(costs) == 3 else None

        assert eventually(settled) == {"number_rent": RENT, "sms_in": TEXT, "sms_out": 2 * TEXT}
        summary = tenant.office.ask("GET", "/v1/billing/summary")
        assert (summary["balanced"], summary["held"]["micros"]) == (True, 0)
        assert summary["cost"]["micros"] == RENT + 3 * TEXT
        assert summary["billed"]["micros"] == RENT + 3 * TEXT * 3 // 2

    def test_a_tenant_does_not_set_its_own_caps_and_markup(self, tenant: Tenant) -> None:
        assert tenant.office.refused("PUT", "/v1/limits", money_per_day=10**12).code == "operator_only"
        assert tenant.office.refused("PUT", "/v1/billing/config", markup_percent=0).code == "forbidden"

    def test_a_text_that_is_refused_costs_nothing(self, world: World) -> None:
        tenant = world.tenant("Quiet Place")
        agent, person = tenant.agent(), world.person()
        world.text(person, agent.number, "STOP")
        agent.waiting()
        before = eventually(lambda: _summary_with(tenant.office.ask("GET", "/v1/billing/summary"), RENT + TEXT))
        agent.refused(person)
        assert tenant.office.ask("GET", "/v1/billing/summary") == before

    def test_the_price_book_says_where_each_price_is_from(self, world: World) -> None:
        lines = world.operator.ask("GET", "/v1/prices")["lines"]
        assert all(line["dated"] and line["source"] for line in lines)
        assert {line["item"]: line["price"]["micros"] for line in lines}["sms_out/US"] == TEXT


def _summary_with(summary: dict[str, object], cost: int) -> dict[str, object] | None:
    money = summary["cost"]
    assert isinstance(money, dict)
    return summary if money["micros"] == cost else None
