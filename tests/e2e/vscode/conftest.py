"""A real VS Code (code-server) in headless Chromium, with the packaged extension in it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

REPOSITORY = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPOSITORY / "scripts"))

import vscode_browser  # noqa: E402
import vscode_install  # noqa: E402
import vscode_server  # noqa: E402
from tests.e2e.vscode.journal import Journal  # noqa: E402
from tests.e2e.vscode.workbench import Workbench  # noqa: E402

WORKSPACE = Path(__file__).parent / "workspace"
BUILD = REPOSITORY / "build"

# Nothing of the editor itself moves, asks or guesses while a test looks at it.
SETTINGS = {
    "workbench.startupEditor": "none",
    "workbench.enableExperiments": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "chat.disableAIFeatures": True,
    "editor.wordBasedSuggestions": "off",
    "editor.minimap.enabled": False,
    "editor.stickyScroll.enabled": False,
    "editor.occurrencesHighlight": "off",
    "editor.wordWrap": "on",
    "git.enabled": False,
    "files.autoSave": "off",
    # A run that is to be stopped half-way must not be over before.
    "transformers.generation.maxNewTokens": 300,
}


@pytest.fixture(scope="session")
def installed() -> vscode_install.CodeServer:
    return vscode_install.ensure(print)


@pytest.fixture(scope="session")
def chromium() -> Path:
    return vscode_browser.ensure(print)


@pytest.fixture(scope="session")
def profile(
    installed: vscode_install.CodeServer, tmp_path_factory: pytest.TempPathFactory
) -> vscode_server.Profile:
    profile = vscode_server.Profile(tmp_path_factory.mktemp("profile"))
    python = str(vscode_server.repository_python())
    profile.write_settings(SETTINGS, {"transformers.interpreter": [python]})
    vsix = vscode_server.build_extension(installed, print)
    vscode_server.install_extension(installed, profile, vsix)
    return profile


@pytest.fixture(scope="session")
def address(
    installed: vscode_install.CodeServer,
    profile: vscode_server.Profile,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[vscode_server.Address]:
    folder = tmp_path_factory.mktemp("vscode") / "workspace"
    shutil.copytree(WORKSPACE, folder)
    with vscode_server.serve(installed, profile, folder) as address:
        yield address


@pytest.fixture(scope="session")
def screenshots() -> Path:
    folder = BUILD / "screenshots"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


# One window for all tests of a module: a window takes longer to open than most tests to run. It
# is closed with the module, because Playwright's event loop must not meet that of async tests.
@pytest.fixture(scope="module")
def page(chromium: Path) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(chromium), args=list(vscode_browser.CHROMIUM_ARGUMENTS)
        )
        context = browser.new_context(viewport={"width": 1500, "height": 900})
        yield context.new_page()
        context.close()
        browser.close()


@pytest.fixture(scope="module")
def window(page: Page, address: vscode_server.Address, screenshots: Path) -> Workbench:
    page.goto(address.url())
    page.locator(".monaco-workbench .explorer-folders-view").wait_for(timeout=60_000)
    return Workbench(page, address.folder, screenshots)


@pytest.fixture
def workbench(window: Workbench, request: pytest.FixtureRequest) -> Workbench:
    for original in WORKSPACE.iterdir():
        shutil.copy(original, window.folder / original.name)
    window.begin(request.node.name.removeprefix("test_"))
    return window


@pytest.fixture
def journal(profile: vscode_server.Profile) -> Journal:
    return Journal(profile)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    profile = getattr(item, "funcargs", {}).get("profile")
    if report.when == "call" and report.failed and profile is not None:
        window = item.funcargs.get("window")
        if window is not None:
            window.shoot("failed")
        for path in profile.logs():
            text = path.read_text(encoding="utf-8", errors="replace")
            report.sections.append((f"log {path.name}", text[-8000:]))
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.vscode)
