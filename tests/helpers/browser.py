"""A person who opens the report in Chromium, clicks through all of it, and looks whether everything is there."""

import shutil
from collections.abc import Callable
from itertools import product
from pathlib import Path

from processes import wait_for
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
SWITCHES = ["headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"]
SWITCHES += ["disable-component-update", "disable-sync", "window-size=1280,800"]
SHOWN = "img[src^='data:image/png'], iframe"
LOADED = "return arguments[0].complete && arguments[0].naturalWidth"
GRAPH = "canvas, svg.marks"
SIDEWAYS = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
PLAYS = "return arguments[0].videoWidth && arguments[0].duration"


class Reader:
    """Reads a report; `seen` is what was shown, and how, by category."""

    def __init__(self, report: Path, screenshots: Path | None = None):
        options = ChromeOptions()
        options.binary_location = CHROMIUM
        for switch in SWITCHES:
            options.add_argument(f"--{switch}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = Chrome(options=options, service=Service(DRIVER))
        self.address = report.resolve().as_uri()
        self.screenshots = screenshots
        self.contents: set[str] = set()  # data URIs
        self.n_seen = 0
        self.seen: dict[str, list[str]] = {}
        self.first = ""  # what the report says before anything is clicked

    def read(self) -> dict[str, list[str]]:
        """Click through every category. Raises AssertionError for a missing image, an empty caption, a script error."""
        try:
            self._open()
            n_results = self.driver.execute_script("return Object.keys(results).length")
            for category in self.driver.execute_script("return Object.keys(categories)"):
                self._open()
                self._read_category(category)
            errors = [entry for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
            assert not errors, errors
            assert self.n_seen == n_results, f"{self.n_seen} of {n_results} results can be reached"
        finally:
            self.driver.quit()
        return self.seen

    def _open(self) -> None:
        self.driver.get(self.address)
        self._wait(lambda: self.driver.find_elements(By.CSS_SELECTOR, "nav"), "the page")
        (element,) = self._wait(lambda: self.driver.find_elements(By.CSS_SELECTOR, SHOWN), "the first screen")
        assert not self.driver.find_elements(By.CSS_SELECTOR, GRAPH), "the report opens with the graph of its rules"
        self._look_at(element, "the first screen")
        self._go_to_graph()

    def _go_to_graph(self) -> None:
        links = self.driver.find_elements(By.CSS_SELECTOR, "li a")
        self._press(next(link for link in links if link.text == "Workflow"))
        self._wait(lambda: self.driver.find_elements(By.CSS_SELECTOR, GRAPH), "the graph of the rules")

    def _go_to(self, category: str, choice: tuple[str, ...] = ()) -> None:
        """To a category from the menu, or back to it from one of its results."""
        links = self.driver.find_elements(By.CSS_SELECTOR, "li a, li span")
        self._press(next(link for link in links if link.text == category))
        self._wait(self._rows, f"the list of {category}")
        for label in choice:
            self._press(self.driver.find_element(By.CSS_SELECTOR, f"label[for='{label}']"))

    def _rows(self) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, "tbody tr")

    def _choices(self) -> list[list[str]]:
        """What may be chosen above the list: for each label with few values, its buttons."""
        groups = self.driver.find_elements(By.CSS_SELECTOR, "fieldset")
        labels = [group.find_elements(By.CSS_SELECTOR, "label[for^='toggle-']") for group in groups]
        return [[label.get_attribute("for") for label in group] for group in labels if group]

    def _read_category(self, category: str) -> None:
        self.seen[category] = []
        self._go_to(category)
        for choice in product(*self._choices()):
            self._go_to(category, choice)
            for row in range(len(self._rows())):
                self._read_result(category, row, choice)
                self._go_to(category, choice)

    def _read_result(self, category: str, number: int, choice: tuple[str, ...]) -> None:
        name = " ".join([self._rows()[number].text.replace("\n", " "), *choice])
        self._press(self._icon(number, "eye"))
        element = self._wait(self._new_content, f"{category}, {name}")
        self.contents.add(element.get_attribute("src"))
        kind = self._look_at(element, f"{category}, {name}")
        if self.screenshots:
            self.driver.save_screenshot(str(self.screenshots / f"{self.n_seen:02d}.png"))
        self._press(self._icon(number, "information-circle"))
        caption = self._wait(self._caption, f"a caption of {category}, {name}")
        assert len(caption) > 60, f"{category}, {name}: {caption}"
        self.seen[category].append(f"{name}: {kind}")
        self.n_seen += 1

    def _icon(self, number: int, icon: str) -> WebElement:
        return self._rows()[number].find_element(By.CSS_SELECTOR, f"a[iconname='{icon}']")

    def _press(self, element: WebElement) -> None:
        """By script: a mouse would miss what is still moving. The page has changed before it answers again."""
        assert element.is_displayed()
        self.driver.execute_script("arguments[0].click()", element)

    def _new_content(self) -> WebElement | None:
        """What is shown now and was not before: the last result stays until the next one comes."""
        shown = self.driver.find_elements(By.CSS_SELECTOR, SHOWN)
        return next((element for element in shown if element.get_attribute("src") not in self.contents), None)

    def _look_at(self, element: WebElement, name: str) -> str:
        if element.tag_name == "img":
            self._wait(lambda: self.driver.execute_script(LOADED, element), f"the image of {name}")
            return "image"
        self.driver.switch_to.frame(element)
        try:
            if videos := self.driver.find_elements(By.TAG_NAME, "video"):
                self._wait(lambda: self.driver.execute_script(PLAYS, videos[0]), f"the video of {name}")
                return "video"
            text = self._wait(lambda: self.driver.find_element(By.TAG_NAME, "body").text.strip(), f"the page of {name}")
            self.first = self.first or text
            assert self.driver.execute_script(SIDEWAYS) <= 0, f"{name} is wider than the screen"
            return "page"
        finally:
            self.driver.switch_to.default_content()

    def _caption(self) -> str:
        text = self.driver.find_element(By.TAG_NAME, "body").text
        return text.partition("DESCRIPTION")[2].partition("SIZE")[0].strip()

    def _wait(self, look: Callable, what: str):
        return wait_for(look, what, pause=0.05)
