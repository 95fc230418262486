"""The admin of the shop in examples/django, as a person uses it: in a real browser.

With ``TASKKIT_SCREENSHOTS`` in the environment, the pictures of the docs are taken anew.
"""

import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest

ROOT = Path(__file__).parents[4]
SHOP = ROOT / "examples" / "django"
PICTURES = ROOT / "docs" / "images"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

selenium = pytest.importorskip("selenium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="no browser: apt install chromium chromium-driver"
    ),
]

from selenium import webdriver  # noqa: E402 - selenium may be missing
from selenium.common.exceptions import (  # noqa: E402 - selenium may be missing
    NoSuchElementException,
    StaleElementReferenceException,
)
from selenium.webdriver.common.by import By  # noqa: E402 - selenium may be missing
from selenium.webdriver.support.expected_conditions import staleness_of  # noqa: E402 - selenium may be missing
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402 - selenium may be missing


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The example, started by its one command; its address."""
    folder = tmp_path_factory.mktemp("shop")
    # A copy: it leaves nothing behind in the repository, and pictures show its path.
    place = Path("/tmp/shop") if "TASKKIT_SCREENSHOTS" in os.environ else folder / "project"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(SHOP, place)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    environment = {**os.environ, "SHOP_DB": str(folder / "shop.db")}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    with (folder / "log").open("w") as log:
        running = subprocess.Popen(
            [sys.executable, str(place / "demo.py"), str(port)],
            env=environment,
            stdout=log,
            stderr=log,
        )
        address = f"http://127.0.0.1:{port}"
        try:
            deadline = monotonic() + 120
            while not _answers(address):
                assert running.poll() is None, (folder / "log").read_text()
                assert monotonic() < deadline, (folder / "log").read_text()
            yield address
        finally:
            running.terminate()
            with suppress(subprocess.TimeoutExpired):
                running.wait(3)
            running.terminate()  # the second: what still runs is given back
            running.wait(60)


def _answers(address):
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def browser(shop):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
    ):
        options.add_argument(argument)
    options.add_argument("--window-size=1280,800")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.implicitly_wait(10)
    try:
        driver.get(f"{shop}/admin/")
        driver.find_element(By.NAME, "username").send_keys("admin")
        driver.find_element(By.NAME, "password").send_keys("admin")
        driver.find_element(By.CSS_SELECTOR, "[type=submit]").click()
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def page(browser, shop):
    """Go to a page of the admin by its links' texts, as a person does."""

    def go(*links):
        browser.get(f"{shop}/admin/")
        for link in links:
            before = browser.find_element(By.TAG_NAME, "html")
            browser.find_element(By.LINK_TEXT, link).click()
            # What is clicked on next must not move any more.
            WebDriverWait(browser, 60).until(staleness_of(before))
            WebDriverWait(browser, 60).until(is_complete)

    return go


def is_complete(driver):
    return driver.execute_script("return document.readyState") == "complete"


@pytest.fixture
def picture(browser):
    def take(name):
        if "TASKKIT_SCREENSHOTS" in os.environ:
            PICTURES.mkdir(exist_ok=True)
            browser.save_screenshot(str(PICTURES / f"django-{name}.png"))

    return take


def text(browser, selector):
    return browser.find_element(By.CSS_SELECTOR, selector).text


def shows(browser, selector, wanted):
    """Wait until a text is there: a click returns before the next page has come."""

    def look(driver):
        return wanted in driver.find_element(By.CSS_SELECTOR, selector).text

    gone = (StaleElementReferenceException, NoSuchElementException)
    WebDriverWait(browser, 60, poll_frequency=0.1, ignored_exceptions=gone).until(look, wanted)


def wait_until(browser, there, seconds=60):
    """Load the page again until something is on it: the worker is another process."""

    def look(driver):
        driver.refresh()
        return there()

    return WebDriverWait(browser, seconds, poll_frequency=0.5).until(look)


def test_what_failed_last_night_and_why_and_run_it_again_in_three_clicks(page, browser, picture):
    page()
    wait_until(browser, lambda: browser.find_element(By.LINK_TEXT, "Failed tasks"))
    page("Failed tasks")  # the first click: what failed, and why
    wait_until(browser, lambda: "PermissionError" in text(browser, "#result_list"))
    wait_until(browser, lambda: text(browser, "#result_list").count("ConnectionError") == 3)
    shows(browser, "#result_list", "no mail server of nowhere.example answers")
    picture("failed")
    rows = browser.find_elements(By.CSS_SELECTOR, "#result_list tbody tr")
    row = next(each for each in rows if "PermissionError" in each.text)
    row.find_element(By.LINK_TEXT, "shop.tasks.charge").click()  # the second: all about it
    shows(browser, "#content-main", "the bank refuses 19.90")
    shows(browser, "#content-main", "Traceback")
    assert "tok_secret" not in browser.page_source
    picture("task")
    browser.find_element(By.CSS_SELECTOR, "[value=retry]").click()  # the third: again
    shows(browser, ".messagelist", "1 task will run again")
    wait_until(browser, lambda: shown_attempts(browser) == 2)


def shown_attempts(browser):
    return len(browser.find_elements(By.CSS_SELECTOR, ".taskkit-history tbody tr"))


def test_a_waiting_task_is_cancelled(page, browser, picture):
    page("Waiting tasks")
    picture("waiting")
    rows = browser.find_elements(By.CSS_SELECTOR, "#result_list tbody tr")
    row = next(each for each in rows if "shop.tasks.export" in each.text)
    row.find_element(By.CSS_SELECTOR, "button[value^=cancel]").click()
    shows(browser, ".messagelist", "1 task cancelled.")
    page("Cancelled tasks")
    shows(browser, "#result_list", "shop.tasks.export")


def test_chosen_tasks_run_again_later(page, browser):
    page("Failed tasks")
    chosen = browser.find_elements(By.CSS_SELECTOR, ".action-select")[:2]
    for box in chosen:
        box.click()
    assert [box.is_selected() for box in chosen] == [True, True]
    Select(browser.find_element(By.NAME, "action")).select_by_visible_text("Run again in …")
    browser.find_element(By.NAME, "delay").send_keys("2h")
    browser.find_element(By.CSS_SELECTOR, ".actions button[type=submit]").click()
    shows(browser, ".messagelist", "will run again in 2h")


def test_a_schedule_is_edited(page, browser, picture):
    page("Schedules")
    wait_until(browser, lambda: "nightly report" in text(browser, "#content-main"))
    picture("schedules")
    browser.find_element(By.LINK_TEXT, "export on Mondays").click()
    when = browser.find_element(By.NAME, "when")
    when.clear()
    when.send_keys("15 7 * * 2")
    browser.find_element(By.NAME, "_preview").click()
    shows(browser, ".taskkit-preview", "07:15:00")
    ticks = text(browser, ".taskkit-preview").splitlines()[1:]
    assert len(ticks) == 5
    assert all("Tue" in tick and "07:15:00" in tick for tick in ticks)
    browser.execute_script("window.scrollTo(0, document.body.scrollHeight)")
    picture("schedule")
    browser.find_element(By.NAME, "_save").click()
    shows(browser, ".messagelist", "Saved export on Mondays")
    shows(browser, "#content-main", "15 7 * * 2")


def test_a_schedule_is_run_now_and_paused(page, browser):
    page("Schedules")
    browser.find_element(By.CSS_SELECTOR, "button[value^='run stored']").click()
    shows(browser, ".messagelist", "put the task default_")
    browser.find_element(By.CSS_SELECTOR, "button[value^='pause stored']").click()
    shows(browser, ".messagelist", "paused")
    browser.find_element(By.CSS_SELECTOR, "button[value^='resume stored']").click()
    shows(browser, ".messagelist", "resumed")


def test_a_group_is_paused_and_resumed(page, browser, picture):
    page("Task groups")
    browser.find_element(By.NAME, "until").send_keys("2h")
    browser.find_element(By.CSS_SELECTOR, "button[value='pause mail']").click()
    shows(browser, ".messagelist", "ail: paused for 2h")
    picture("groups")
    browser.find_element(By.CSS_SELECTOR, "button[value='resume mail']").click()
    shows(browser, ".messagelist", "ail: resumed")


def test_the_other_pages(page, browser, picture):
    page()
    picture("index")
    page("Workers")
    browser.find_element(By.ID, "changelist")
    # The site answers before its worker has started.
    wait_until(browser, lambda: "mail × 4" in text(browser, "#content"))
    picture("workers")
    page("Summary by task")
    shows(browser, "#content-main", "shop.tasks.confirm")
    picture("summary")


def test_an_order_and_its_task(browser, shop):
    browser.get(shop)
    browser.find_element(By.NAME, "email").send_keys("browser@somewhere.example")
    browser.find_element(By.CSS_SELECTOR, "button").click()
    wait_until(
        browser,
        lambda: any(
            "browser@somewhere.example" in row.text and "confirmed" in row.text
            for row in browser.find_elements(By.CSS_SELECTOR, "tr")
        ),
    )
