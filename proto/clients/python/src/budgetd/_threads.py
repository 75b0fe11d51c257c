"""The client for threads: the one for asyncio, on a loop in a thread of its own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from types import TracebackType
from typing import Any, Coroutine, Optional, Sequence, Type, TypeVar, Union

from ._answers import Answer, Budgets, Candidate, Pong, Stats
from ._client import Client, Hold
from ._errors import Closed

T = TypeVar("T")


class SyncClient:
    """Budgets, for routers without asyncio. The same calls as Client's, from any thread.

        with SyncClient("127.0.0.1:7077", on_unavailable="open") as budgets:
            with budgets.reserve(deployment_id="gpt-4o-eu", amount=0.5) as hold:
                hold.settle(0.25)
    """

    def __init__(
        self, server: Union[str, Sequence[str]], *, on_unavailable: Optional[str] = None,
        **settings: Any,
    ) -> None:
        self._client = Client(server, on_unavailable=on_unavailable, **settings)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="budgetd", daemon=True)
        self._thread.start()
        # Held while a call is handed to the loop, so that none comes after it has stopped.
        self._lock, self._closed = threading.Lock(), False
        self._wait(self._begin())

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        # Calls that were under way: their threads wait for them.
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _begin(self) -> None:
        self._client._begin()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        # First: in a process that was forked the lock may be held by a thread that is not there.
        if self._client._closed:
            work.close()
            raise self._client._over()
        with self._lock:
            if self._closed:
                work.close()
                raise Closed()
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise Closed() from None

    def filter(
        self, candidates: Sequence[Candidate] = (), *, tags: Sequence[str] = (),
        model_name: str = "", estimate: float = 0.0,
    ) -> Answer:
        """As Client.filter."""
        return self._wait(self._client.filter(candidates, tags=tags, model_name=model_name,
                                              estimate=estimate))

    def reserve(
        self, candidates: Optional[Sequence[Candidate]] = None, **fields: Any,
    ) -> SyncHold:
        """As Client.reserve: a hold, to be entered or kept."""
        asked = self._client.reserve(candidates, **fields)
        return SyncHold(self, self._wait(self._client._reserve(asked)))

    def record(self, cost: float, **fields: Any) -> str:
        """As Client.record."""
        return self._client.record(cost, **fields)

    def budgets(self, **fields: bool) -> Budgets:
        """As Client.budgets."""
        return self._wait(self._client.budgets(**fields))

    def ping(self) -> Pong:
        """As Client.ping."""
        return self._wait(self._client.ping())

    @property
    def stats(self) -> Stats:
        return self._client.stats

    def flush(self, timeout: Optional[float] = None) -> int:
        """As Client.flush."""
        return self._wait(self._client.flush(timeout))

    def close(self, timeout: float = 5.0) -> int:
        """As Client.close."""
        if self._client._closed:
            return 0
        owed = self._wait(self._client.close(timeout))
        with self._lock:
            if not self._closed:
                self._closed = True
                self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        return owed

    def __enter__(self) -> SyncClient:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


class SyncHold:
    """A hold, as Client.reserve's."""

    def __init__(self, owner: SyncClient, hold: Hold) -> None:
        self._owner, self._hold = owner, hold

    def __getattr__(self, name: str) -> Any:
        return getattr(self._hold, name)

    def settle(self, cost: float, **fields: Any) -> str:
        """As Hold.settle."""
        return self._hold.settle(cost, **fields)

    def release(self) -> None:
        """As Hold.release."""
        self._hold.release()

    def extend(self, ttl: float) -> int:
        """As Hold.extend."""
        return self._owner._wait(self._hold.extend(ttl))

    def __enter__(self) -> SyncHold:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._hold.release()
