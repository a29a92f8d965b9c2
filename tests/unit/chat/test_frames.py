"""A request that is written message by message is the same JSON."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transformers_ls.chat import frames
from transformers_ls.text.steps import run

TEXTS = st.text(st.characters(), max_size=8) | st.sampled_from(["\ud800", '"', "\\", "\u2028"])
MESSAGES = st.lists(
    st.dictionaries(TEXTS, TEXTS | st.lists(TEXTS, max_size=2), max_size=3), max_size=4
)
JOBS = st.lists(
    st.builds(
        lambda messages, number: {"messages": messages, "id": number}, MESSAGES, st.integers()
    ),
    max_size=3,
)


@pytest.fixture(scope="module", params=[1, 100, 1 << 16], autouse=True)
def _groups_of(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "_GROUP", request.param)
        yield


@given(st.dictionaries(TEXTS, TEXTS, min_size=1, max_size=3), JOBS)
def test_a_request_is_what_was_asked(shared, jobs):
    frame = run(frames.request_steps(shared, jobs))
    body = frame[frames.HEADER_BYTES :]
    assert frames.length_of(frame[: frames.HEADER_BYTES]) == len(body)
    assert frames.decode(body) == {**shared, "jobs": jobs}
