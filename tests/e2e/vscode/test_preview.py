"""The chat preview in VS Code: it follows, counts, takes options, leads to problems, and survives."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.e2e.vscode import expected
from tests.e2e.vscode.workbench import Workbench
from transformers_ls.paths import data_dir

pytestmark = pytest.mark.models

OPEN = "Transformers: Preview Chat Prompt"
STRICT = (
    "{% for m in messages %}"
    "{% if not loop.first and m.role == messages[loop.index0 - 1].role %}"
    "{{ raise_exception('Roles must alternate!') }}{% endif %}"
    "[{{ m.role }}]{{ m.content }}\n"
    "{% endfor %}{% if enable_thinking is defined %}<think {{ enable_thinking }}>{% endif %}"
)


@pytest.fixture
def strict(tmp_path: Path) -> Path:
    """A model whose template refuses two messages of the same role."""
    folder = tmp_path / "strict"
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json"):
        shutil.copy(data_dir() / "models" / expected.MODEL / name, folder / name)
    (folder / "chat_template.jinja").write_text(STRICT)
    return folder


@pytest.fixture
def configure(workbench: Workbench) -> Iterator:
    """Write settings of the workspace for one test."""
    path = workbench.folder / ".vscode" / "settings.json"
    path.parent.mkdir(exist_ok=True)

    def write(*tokenizers: object) -> None:
        path.write_text(json.dumps({"transformers.tokenizers": [str(t) for t in tokenizers]}))

    yield write
    path.write_text("{}")


def row(path: Path, index: int) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(path.read_text().splitlines()[index])["messages"]
    return found


def part(message: dict[str, str]) -> str:
    return f"<|im_start|>{message['role']}\n{message['content']}<|im_end|>\n"


def badges(area: Locator) -> list[str]:
    """The numbers that stand before the parts; they are drawn by style, not by text."""
    contents = area.locator(".view-line span[class*='ced-']").evaluate_all(
        "spans => spans.map(s => getComputedStyle(s, '::before').content)"
    )
    return [text.strip('" ').replace("\xa0", " ") for text in contents if "token" in text]


# A border is drawn in a layer of its own, so the text is found by where it stands.
MARKED = """editor => {
  const boxes = [...editor.querySelectorAll(".view-overlays [class*='ced-']")]
    .filter(e => getComputedStyle(e).borderTopStyle === 'solid')
    .map(e => e.getBoundingClientRect());
  let found = '';
  const walker = document.createTreeWalker(editor.querySelector('.view-lines'), 4);
  while (walker.nextNode()) {
    const range = document.createRange();
    for (let i = 0; i < walker.currentNode.length; i++) {
      range.setStart(walker.currentNode, i);
      range.setEnd(walker.currentNode, i + 1);
      const r = range.getBoundingClientRect();
      const [x, y] = [r.left + r.width / 2, r.top + r.height / 2];
      if (boxes.some(b => b.left <= x && x <= b.right && b.top <= y && y <= b.bottom)) {
        found += walker.currentNode.data[i];
      }
    }
  }
  return found;
}"""


def marked(area: Locator) -> str:
    """The text with a border around it."""
    text: str = area.locator(".monaco-editor").first.evaluate(MARKED)
    return text


def source(workbench: Workbench) -> Locator:
    return workbench.page.locator(".editor-group-container").first


def prompt_of(messages: list[dict[str, str]]) -> str:
    return "".join(map(part, messages)) + "<|im_start|>assistant\n"


def open_preview(workbench: Workbench, line: int = 1) -> Path:
    path = workbench.open("chats.jsonl")
    workbench.go_to(line)
    workbench.command(OPEN)
    workbench.preview.wait_for()
    return path


def test_counts_after_templating(workbench: Workbench) -> None:
    path = open_preview(workbench)
    messages = row(path, 0)
    generation = expected.count("<|im_start|>assistant\n")
    wanted = [f"{m['role']} · {expected.count(part(m))} tokens" for m in messages]
    wanted.append(f"template · {generation} tokens")
    workbench.wait_for("the counts", lambda: badges(workbench.preview) == wanted)
    total = expected.count(prompt_of(messages))
    template = total - sum(expected.count(m["content"]) for m in messages)
    workbench.wait_for_lens(f"{total} of 8,192 tokens, template {template}")
    assert "by prefix difference" in workbench.wait_for_lens("trained tokens")
    workbench.shoot("counts")


def test_it_follows_an_edit(workbench: Workbench) -> None:
    path = open_preview(workbench)
    column = path.read_text().index("one line") + 1
    workbench.go_to(1, column)
    workbench.page.keyboard.type("just ")
    workbench.wait_for("the prompt", lambda: "in just one line" in workbench.preview_text())
    messages = row(path, 0)
    messages[0]["content"] = "Answer in just one line."
    total = expected.count(prompt_of(messages))
    workbench.wait_for_lens(f"{total} of 8,192 tokens, template")
    label = f"system · {expected.count(part(messages[0]))} tokens"
    workbench.wait_for("the count", lambda: label in badges(workbench.preview))
    workbench.shoot("followed")
    workbench.press("Control+z")
    workbench.save(path)


def test_it_follows_the_cursor_to_another_chat(workbench: Workbench) -> None:
    open_preview(workbench)
    workbench.wait_for("the first", lambda: "sky" in workbench.preview_text())
    workbench.go_to(2)
    workbench.wait_for("the second", lambda: "Peru" in workbench.preview_text())
    workbench.go_to(3)
    workbench.page.wait_for_timeout(500)
    assert "Peru" in workbench.preview_text()


def test_the_generation_prompt_can_be_left_out(workbench: Workbench) -> None:
    path = open_preview(workbench)
    workbench.wait_for_lens("tokens, template")
    workbench.click_lens("generation prompt on")
    workbench.wait_for_lens("generation prompt off")
    messages = row(path, 0)
    workbench.wait_for(
        "a shorter prompt", lambda: workbench.preview_text().endswith("the most.<|im_end|>")
    )
    workbench.wait_for_lens(f"{expected.count(''.join(map(part, messages)))} of 8,192 tokens")
    workbench.shoot("off")
    workbench.click_lens("generation prompt off")
    workbench.wait_for_lens("generation prompt on")


def test_places_on_both_sides(workbench: Workbench) -> None:
    path = open_preview(workbench)
    workbench.wait_for_lens("tokens, template")
    text = path.read_text()
    workbench.go_to(1, text.index("scatters") + 3)
    workbench.wait_for("the place", lambda: marked(workbench.preview) == "scatters")
    # Behind an escape in the source.
    workbench.go_to(1, text.index("light the") + 2)
    workbench.wait_for("the place", lambda: marked(workbench.preview) == "light")
    workbench.shoot("source leads")
    line = workbench.preview.locator(".view-line", has_text="Why is the sky blue?")
    line.click(position={"x": 2, "y": 8})
    workbench.press("Home", *["Control+ArrowRight"] * 5)
    workbench.wait_for("the place", lambda: marked(source(workbench)) == "blue")
    assert marked(workbench.preview) == ""
    workbench.shoot("preview leads")


def test_a_quick_fix_repairs_a_refused_chat(workbench: Workbench, strict: Path, configure) -> None:
    configure(strict)
    path = open_preview(workbench, line=2)
    workbench.wait_for_lens("Roles must alternate!")
    workbench.wait_for_lens("Line 2: ")
    workbench.shoot("refused")
    workbench.click_lens("Line 2: ")
    second = path.read_text().splitlines()[1].index('{"role": "user", "content": "In') + 1
    workbench.wait_for("the place", lambda: f"Ln 2, Col {second}" in workbench.status_bar())
    workbench.press("Control+.")
    fix = workbench.page.locator(".action-widget .action", has_text="Merge neighbouring messages")
    fix.wait_for()
    workbench.shoot("fixes")
    fix.click()
    workbench.wait_for(
        "the prompt",
        lambda: "[user]Name a river. In Peru, please. [assistant]" in workbench.preview_text(),
    )
    workbench.wait_for_lens("tokens, template")
    assert "Roles must alternate" not in " ".join(workbench.lenses(workbench.preview))
    workbench.shoot("repaired")
    merged = json.loads(workbench.save(path).splitlines()[1])["messages"]
    assert [message["role"] for message in merged] == ["user", "assistant"]


def test_variables_of_the_template(workbench: Workbench, strict: Path, configure) -> None:
    configure(strict)
    open_preview(workbench)
    workbench.wait_for("the prompt", lambda: "[user]Why" in workbench.preview_text())
    workbench.wait_for_lens("tokens, template")
    workbench.click_lens("variables")
    workbench.choose("enable_thinking")
    workbench.choose("false")
    workbench.wait_for("the prompt", lambda: "<think False>" in workbench.preview_text())
    workbench.wait_for_lens("enable_thinking=false")
    workbench.shoot("variable")
    workbench.click_lens("enable_thinking=false")
    workbench.choose("enable_thinking")
    workbench.choose("Not given")
    workbench.wait_for("the prompt", lambda: "<think" not in workbench.preview_text())


def test_a_template_is_shown_with_another_sample(workbench: Workbench) -> None:
    path = workbench.folder / "template.jinja"
    path.write_text("{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}")
    try:
        workbench.open(path.name)
        workbench.command(OPEN)
        workbench.wait_for_lens("sample single turn")
        workbench.click_lens("sample single turn")
        workbench.shoot("samples")
        workbench.choose("tools")
        workbench.wait_for_lens("sample tools")
        workbench.wait_for("its prompt", lambda: "[tool]" in workbench.preview_text())
        workbench.shoot("sample")
    finally:
        path.unlink()


def test_one_of_several_templates(workbench: Workbench, strict: Path, configure) -> None:
    more = strict / "additional_chat_templates"
    more.mkdir()
    (more / "shout.jinja").write_text(
        "{% for m in messages %}{{ m.content | upper }}\n{% endfor %}"
    )
    configure(strict)
    open_preview(workbench)
    workbench.wait_for_lens("template default")
    workbench.click_lens("template default")
    workbench.shoot("templates")
    workbench.choose("shout")
    workbench.wait_for_lens("template shout")
    workbench.wait_for("its prompt", lambda: "WHY IS THE SKY BLUE" in workbench.preview_text())
    workbench.shoot("template")
    # What was chosen is kept for the document, which other tests show with other models.
    workbench.click_lens("template shout")
    workbench.choose("default")
    workbench.wait_for_lens("template default")


def test_two_models_side_by_side(workbench: Workbench, strict: Path, configure) -> None:
    configure(expected.MODEL, strict)
    open_preview(workbench)
    workbench.wait_for_lens("tokens, template")
    workbench.click_lens("compare")
    workbench.pick(str(strict))
    sides = workbench.page.locator(".monaco-diff-editor .editor.modified")
    sides.wait_for()
    workbench.wait_for(
        "both prompts", lambda: "[user]Why is the sky" in " ".join(workbench.lines(sides))
    )
    original = workbench.page.locator(".monaco-diff-editor .editor.original")
    workbench.wait_for("the left one", lambda: "<|im_start|>user" in workbench.lines(original))
    workbench.wait_for("its counts", lambda: any("user ·" in text for text in badges(original)))
    workbench.shoot("diff")


def test_it_survives_a_restart(workbench: Workbench) -> None:
    path = open_preview(workbench)
    workbench.wait_for_lens("tokens, template")
    workbench.command("Transformers: Restart Server")
    total = expected.count(prompt_of(row(path, 0)))
    workbench.wait_for_lens(f"{total} of 8,192 tokens")
    workbench.wait_for("the counts", lambda: len(badges(workbench.preview)) == 4)
    workbench.shoot("restarted")
    # Without its source it still stands there, and takes options.
    source(workbench).locator(".tab").first.click(button="middle")
    workbench.page.locator('.tab[data-resource-name="chats.jsonl"]').wait_for(state="hidden")
    alone = workbench.page.locator(".editor-group-container").first
    alone.locator(".codelens-decoration a", has_text="generation prompt on").click()
    workbench.wait_for(
        "a shorter prompt",
        lambda: " ".join(workbench.lines(alone)).strip().endswith("the most.<|im_end|>"),
    )
    workbench.shoot("alone")
    # Options are kept for each document, also for the next test.
    alone.locator(".codelens-decoration a", has_text="generation prompt off").click()
    alone.locator(".codelens-decoration a", has_text="generation prompt on").wait_for()


def reload(workbench: Workbench) -> None:
    """Reload the window; the preview is opened again where VS Code has forgotten its group of editors.

    It writes them down now and then, and when the window closes, for which a browser may give it no
    time. What is in the group is ours to bring back, that there is one is not.
    """
    workbench.page.reload()
    workbench.page.locator(".monaco-workbench .explorer-folders-view").wait_for(timeout=60_000)
    try:
        workbench.preview.wait_for(timeout=30_000)
    except PlaywrightTimeoutError:
        open_preview(workbench)


def test_it_survives_a_reload_of_the_window(workbench: Workbench) -> None:
    path = open_preview(workbench)
    workbench.wait_for_lens("tokens, template")
    workbench.command("Transformers: Restart Server")
    workbench.wait_for_lens("tokens, template")
    reload(workbench)
    # VS Code writes down where the cursor was only now and then.
    workbench.page.locator(".editor-instance .view-lines").first.click()
    workbench.go_to(1)
    total = expected.count(prompt_of(row(path, 0)))
    workbench.wait_for_lens(f"{total} of 8,192 tokens")
    workbench.wait_for("the counts", lambda: len(badges(workbench.preview)) == 4)
    assert "No Python" not in workbench.notifications()
    workbench.shoot("reloaded")
