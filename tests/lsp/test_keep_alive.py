"""The setting that says how long the engine's process stays reaches the engine, also when it changes."""

from tests.support.session import session
from transformers_ls.engines.worker_host import KEEP_ALIVE_SECONDS
from transformers_ls.lsp.server import create_server
from transformers_ls.settings import Settings


async def test_the_setting_reaches_the_engine():
    server = create_server()
    async with session(server, {"local": {"keepAlive": 5}}) as client:
        await client.initialize()
        await client.until(lambda: server.engine._idle._seconds() == 5.0)
        client.settings = {"local": {"keepAlive": -1}}
        client.notify("workspace/didChangeConfiguration", {"settings": None})
        await client.until(lambda: server.engine._idle._seconds() == -1.0)


def test_there_is_one_default():
    assert Settings().local.keep_alive == KEEP_ALIVE_SECONDS
