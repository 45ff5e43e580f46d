"""The same for asyncio."""

from __future__ import annotations

import asyncio
import functools
import threading

import pytest

import marram
import marram.aio


def in_loop(test):
    """Run a coroutine as a test."""

    @functools.wraps(test)
    def run(*arguments, **keywords):
        asyncio.run(asyncio.wait_for(test(*arguments, **keywords), 60))

    return run


@in_loop
async def test_publish_and_read(data_dir):
    async with marram.aio.Node(data_dir, name="test") as node:
        assert node.name == "test"
        async with node.subscribe("#") as events:
            receipt = await node.publish("a", json={"x": 1}, key="k")
            receipts = await node.publish_many(["1", "2"], topic="b")

            seen = [await anext(events) for _ in range(3)]

    assert [event.topic for event in seen] == ["a", "b", "b"]
    assert seen[0].json() == {"x": 1}
    assert [event.id for event in seen] == [receipt.id, *(stored.id for stored in receipts)]


@in_loop
async def test_a_node_or_subscription_may_be_awaited_or_just_used(data_dir):
    node = await marram.aio.Node(data_dir)
    events = await node.subscribe("#")
    await node.publish("a", "1")
    async for event in events:
        assert event.text == "1"
        break
    await node.publish("a", "2")
    async for event in node.subscribe("#", start="earliest"):
        assert event.text == "1"
        break
    await node.close()
    await node.close()


@in_loop
async def test_many_publishers_at_once(data_dir):
    async with marram.aio.Node(data_dir) as node:
        receipts = await asyncio.gather(*(node.publish("a", str(n)) for n in range(500)))
        events = await node.fetch("a", max=500)

    assert sorted(receipt.seq for receipt in receipts) == list(range(1, 501))
    assert sorted(int(event.text) for event in events) == list(range(500))


@in_loop
async def test_many_events_keep_their_order_over_several_batches(data_dir):
    payloads = [b"%d" % number + b"." * 4000 for number in range(1500)]
    async with marram.aio.Node(data_dir) as node:
        receipts = await node.publish_many(iter(payloads), topic="a")
        events = await node.fetch("a", max=1500)

    assert [receipt.seq for receipt in receipts] == list(range(1, 1501))
    assert [receipt.seq for receipt in receipts[-2:]] == [1499, 1500]
    assert [event.payload for event in events] == payloads


@in_loop
async def test_the_loop_goes_on_while_a_reader_waits(data_dir):
    async with marram.aio.Node(data_dir) as node, node.subscribe("#") as events:
        reader = asyncio.create_task(anext(events))
        turns = 0
        while turns < 5:
            await asyncio.sleep(0.01)
            turns += 1
        assert not reader.done()
        before = threading.active_count()

        await node.publish("a", "1")

        assert (await reader).text == "1"
        assert threading.active_count() == before


@in_loop
async def test_a_reader_that_is_cancelled_loses_nothing(data_dir):
    async with marram.aio.Node(data_dir) as node, node.subscribe("#") as events:
        for turn in range(20):
            reader = asyncio.create_task(anext(events))
            await asyncio.sleep(0)
            if turn % 2:
                reader.cancel()
            else:
                await node.publish("a", str(turn))
                assert (await reader).text == str(turn)


@in_loop
async def test_an_empty_fetch_is_an_empty_list(data_dir):
    async with marram.aio.Node(data_dir) as node, node.subscribe("#") as events:
        assert await events.fetch(timeout=0.05) == []
        assert await node.fetch("#", timeout=0.05) == []


@in_loop
async def test_a_fetch_of_no_events_is_refused(data_dir):
    async with marram.aio.Node(data_dir) as node, node.subscribe("#") as events:
        with pytest.raises(marram.Invalid, match="max is 0"):
            await events.fetch(max=0)


@in_loop
async def test_acks_of_a_named_reader(data_dir):
    async with marram.aio.Node(data_dir) as node:
        await node.publish_many(["1", "2", "3"], topic="a")
        async with node.subscribe("#", name="report") as events:
            (await anext(events)).ack()
            second = await anext(events)
            second.nack()
            again = [await anext(events), await anext(events)]
            assert ("2", 2) in [(event.text, event.attempt) for event in again]

        async with node.subscribe("#", name="report", auto_ack=True) as events:
            assert (await anext(events)).text == "2"
        (left,) = await node.fetch("#", name="report", timeout=0.2)
        assert left.text == "3"
        (consumer,) = await node.consumers()
        assert consumer.name == "report"
        assert (await node.status())["node"]["id"] == node.id


@in_loop
async def test_errors_are_those_of_marram(data_dir):
    node = marram.aio.Node(data_dir)
    with pytest.raises(marram.Closed, match="not open yet"):
        await node.publish("a", "x")
    async with node:
        with pytest.raises(marram.Invalid, match="topic"):
            await node.publish("#", "x")
        with pytest.raises(marram.Invalid, match="event 1:"):
            await node.publish_many([("a", "x"), ("+", "x")])
        with pytest.raises(marram.Invalid):
            await node.subscribe("a#")
        with pytest.raises(marram.NotFound):
            await node.remove_consumer("nobody")
        with pytest.raises(marram.Busy):
            await marram.aio.Node(data_dir)
    with pytest.raises(marram.Closed):
        await node.publish("a", "x")


@in_loop
async def test_closing_ends_loops(data_dir):
    async def read(events):
        return [event.text async for event in events]

    async with marram.aio.Node(data_dir) as node:
        one, other = await node.subscribe("#"), await node.subscribe("#", name="report")
        readers = [asyncio.create_task(read(one)), asyncio.create_task(read(other))]
        await asyncio.sleep(0.05)
        await one.close()
        assert await readers[0] == []
    assert await readers[1] == []


@in_loop
async def test_a_client_does_the_same(data_dir):
    async with (
        marram.aio.Node(data_dir, listen=True) as node,
        marram.aio.connect(data_dir) as client,
        client.subscribe("#", name="report") as events,
    ):
        await node.publish("a", "1")
        await client.publish("a", "2")

        assert [(await anext(events)).text, (await anext(events)).text] == ["1", "2"]
        assert client.id == node.id


def test_a_node_may_be_used_in_one_loop_after_another(data_dir):
    for turn in (1, 2):

        async def main(turn: int) -> int:
            async with marram.aio.Node(data_dir) as node:
                await node.publish("a", str(turn))
                return len(await node.fetch("#", max=turn))

        assert asyncio.run(main(turn)) == turn
