# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page in a browser: what people see, do with the keyboard, print, and what hostile servers cannot do to it."""

from __future__ import annotations

import json
import re
import shlex
import socket
import time
from pathlib import Path

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import from_results
from playwright.sync_api import Browser, expect

from .looks import BREAKOUT, IMAGE, SCRIPT, TEMPLATE, Look, MakeReport, multiplied
from .pages import Open, assert_no_sideways_scroll, assert_nothing_for_axe

LARGE = 2000


def short(name: str) -> str:
    """The name as the page has it."""
    return name.removesuffix(".example.com")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("count", [0, 5, 200])
def test_nothing_for_axe_to_find(
    make_report: MakeReport,
    looks: dict[str, Look | None],
    open_page: Open,
    axe_source: str,
    count: int,
    scheme: str,
) -> None:
    chosen = looks if count == 5 else multiplied(looks, count)
    make_report(dict(list(chosen.items())[::2]), run="0")
    made = make_report(chosen)
    with open_page(made.paths["html"], color_scheme=scheme) as opened:
        assert_nothing_for_axe(opened, axe_source)


def test_sorting(make_report: MakeReport, looks: dict[str, Look | None], open_page: Open) -> None:
    """By numbers and by names, up and down; what is not known is last either way."""
    made = make_report(multiplied(looks, 30))
    days = {
        short(server.name): server.certificate.days_left if server.certificate else None
        for server in made.report.servers
    }
    with open_page(made.paths["html"]) as opened:
        header = opened.page.get_by_role("columnheader", name="Certificate expires")
        for direction in ("ascending", "descending"):
            header.get_by_role("button").click()
            assert header.get_attribute("aria-sort") == direction
            shown = [days[name] for name in opened.rows()]
            known = [value for value in shown if value is not None]
            assert len(shown) == 30
            assert known == sorted(known, reverse=direction == "descending")
            assert shown[len(known) :] == [None] * (30 - len(known))
            assert None in shown
        opened.page.get_by_role("columnheader", name="Server", exact=True).get_by_role("button").click()
        assert header.get_attribute("aria-sort") is None
        assert opened.rows() == sorted(days)
        opened.page.get_by_role("columnheader", name="Findings").get_by_role("button").click()
        servers = {short(server.name): server for server in made.report.servers}
        highs = [servers[name].count("high") for name in opened.rows() if servers[name].state == "checked"]
        assert highs == sorted(highs, reverse=True)
        assert highs[0] > highs[-1]


def test_filters(make_report: MakeReport, looks: dict[str, Look | None], open_page: Open) -> None:
    """By text, state and finding, and all of them together; said to those who do not see it."""
    made = make_report(multiplied(looks, 250))
    servers = made.report.servers
    with open_page(made.paths["html"]) as opened:
        page, status = opened.page, opened.page.get_by_role("status")
        assert status.inner_text() == "250 servers"
        assert len(opened.rows()) == 100
        page.get_by_role("button", name="Show all 250").click()
        assert len(opened.rows()) == 250
        assert page.evaluate("document.activeElement.closest('tr').cells[0].textContent") is not None
        assert (
            page.evaluate("[...document.querySelectorAll('tbody')].indexOf(document.activeElement.closest('tbody'))")
            == 100
        )
        page.get_by_label("Search", exact=True).fill("db0001 mariadb")
        expected = [short(s.name) for s in servers if "db0001" in s.name and s.server and s.server.family == "mariadb"]
        assert sorted(opened.rows()) == expected
        assert expected
        assert status.inner_text() == f"{len(expected)} of 250 servers"
        page.get_by_role("button", name="Reset").click()
        assert len(opened.rows()) == 250
        page.locator("#filter-state").select_option("Unreachable")
        assert sorted(opened.rows()) == [short(s.name) for s in servers if s.state == "unreachable"]
        page.locator("#filter-state").select_option("All")
        page.locator("#filter-finding").select_option("Certificates that expire soon")
        expected = [short(s.name) for s in servers if any(f.id == "certificate-expiring" for f in s.findings)]
        assert sorted(opened.rows()) == expected
        page.get_by_label("Search", exact=True).fill("nothing is called this")
        assert opened.rows() == []
        assert status.inner_text() == "0 of 250 servers"


def test_filters_are_in_the_address(
    make_report: MakeReport, looks: dict[str, Look | None], open_page: Open, browser: Browser
) -> None:
    """Of what is chosen, of what a figure leads to, and of what somebody else has sent."""
    made = make_report(multiplied(looks, 60))
    bad = {short(s.name) for s in made.report.servers if s.verdict == "non_compliant"}
    with open_page(made.paths["html"]) as opened:
        page = opened.page
        page.locator("#verdict .figure").first.get_by_role("link").click()
        expect(page.locator("#filter-state")).to_have_value("non_compliant")
        assert page.evaluate("location.hash") == "#state=non_compliant"
        assert set(opened.rows()) == bad
        page.get_by_label("Search", exact=True).fill("db0001 & co")
        assert page.evaluate("location.hash") == "#search=db0001+%26+co&state=non_compliant"
        page.get_by_role("button", name="Reset").click()
        assert page.evaluate("location.hash") == "#servers"
        assert len(opened.rows()) == 60
        # Half a percent sign, as mail programs leave it; the page has nothing to say about that.
        page.evaluate(
            "new Promise((done) => { addEventListener('hashchange', () => setTimeout(done)); location.hash = '#9%'; })"
        )
        assert len(opened.rows()) == 60
    page = browser.new_context(offline=True).new_page()
    page.goto(Path(made.paths["html"]).as_uri() + "#state=non_compliant&finding=weak&search=db0001")
    assert page.get_by_label("Search", exact=True).input_value() == "db0001"
    assert page.locator("#filter-state").input_value() == "non_compliant"
    assert page.locator("#filter-finding").input_value() == ""
    page.context.close()


def test_search_finds_accounts_and_findings(
    make_report: MakeReport, looks: dict[str, Look | None], open_page: Open
) -> None:
    """Which are in the row, folded away; a click on the name opens it."""
    made = make_report(looks)
    with open_page(made.paths["html"]) as opened:
        page = opened.page
        for text in ("legacy_app@%", "accounts that can log in without"):
            page.get_by_label("Search", exact=True).fill(text)
            assert sorted(opened.rows()) == ["orders-1", "stock-1"]
        detail = page.locator("#servers-table .detail").first
        assert not detail.is_visible()
        page.locator(".open-row").first.click()
        assert detail.is_visible()
        assert "legacy_app@%" in detail.inner_text()


def test_grouping(make_report: MakeReport, looks: dict[str, Look | None], open_page: Open) -> None:
    """By what the inventory knows of servers; those of which it knows nothing come last."""
    places = [
        from_results.Place("orders", "eu-central-1", "123456789012", ("databases", "prod")),
        from_results.Place("stock", "eu-central-1", "210987654321", ("databases", "stage")),
        from_results.Place(groups=("databases",)),
    ]
    now = "2026-11-24T15:40:00Z"
    servers = [
        server
        for number, (host, look) in enumerate(multiplied(looks, 9).items())
        for server in from_results.servers_of(host, look, now, places[number % 3])
    ]
    made = make_report(servers)
    with open_page(made.paths["html"]) as opened:
        page = opened.page
        for chosen, headings in (
            ("Cluster", ["orders (3)", "stock (3)", "Without (3)"]),
            ("Inventory groups", ["prod (3)", "stage (3)", "Without (3)"]),
            ("AWS account", ["123456789012 (3)", "210987654321 (3)", "Without (3)"]),
        ):
            page.get_by_label("Group by").select_option(chosen)
            assert page.locator("#servers-table .group").all_text_contents() == headings
            assert len(opened.rows()) == 9
        page.get_by_label("Group by").select_option("Nothing")
        assert page.locator("#servers-table .group").count() == 0


def test_groups_of_more_servers_than_are_shown(
    make_report: MakeReport, looks: dict[str, Look | None], open_page: Open
) -> None:
    """A group says how many servers it has, and not how many of them are among the first 100 rows."""
    places = [from_results.Place("orders"), from_results.Place("stock")]
    now = "2026-11-24T15:40:00Z"
    servers = [
        server
        for number, (host, look) in enumerate(multiplied({"a": looks["orders-1"]}, 140).items())
        for server in from_results.servers_of(host, look, now, places[number >= 110])
    ]
    made = make_report(servers)
    with open_page(made.paths["html"]) as opened:
        page = opened.page
        page.get_by_label("Group by").select_option("Cluster")
        headings = page.locator("#servers-table .group")
        assert headings.all_text_contents() == ["orders (100 of 110)", "stock (0 of 30)"]
        page.locator("#show-all").click()
        assert headings.all_text_contents() == ["orders (110)", "stock (30)"]


def test_names_from_right_to_left(make_report: MakeReport, looks: dict[str, Look | None], open_page: Open) -> None:
    """The host of such an account stays behind it, in sentences and in commands."""
    name = "\u0633\u0644\u0627\u0645"
    look = json.loads(json.dumps(looks["orders-1"]).replace("reporting", name))
    made = make_report({"orders-1": look})
    with open_page(made.paths["html"]) as opened:
        places = opened.page.evaluate(
            """(name) => [...document.querySelectorAll('.instances bdi')]
            .filter((each) => !each.parentElement.closest('bdi') && each.textContent.includes(name))
            .map((each) => {
              const chars = [];
              const walker = document.createTreeWalker(each, NodeFilter.SHOW_TEXT);
              while (walker.nextNode())
                for (let at = 0; at < walker.currentNode.length; at++) chars.push([walker.currentNode, at]);
              const left = ([node, at]) => {
                const range = document.createRange();
                range.setStart(node, at);
                range.setEnd(node, at + 1);
                return range.getBoundingClientRect().left;
              };
              const start = each.textContent.indexOf(name);
              const host = each.textContent.indexOf('10.%');
              return [each.textContent, [start, start + name.length, host, host + 2].map((at) => left(chars[at]))];
            })""",
            name,
        )
        assert len([text for text, _lefts in places if text.startswith("ALTER USER")]) == 1
        assert len([text for text, _lefts in places if text.startswith(f"{name}@10.%")]) == 1
        for text, lefts in places:
            assert lefts == sorted(lefts), text


def test_copying(make_report: MakeReport, looks: dict[str, Look | None], browser: Browser) -> None:
    """The whole command, as it is shown, and nothing else of what there is to do."""
    context = browser.new_context(offline=True, permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(Path(make_report(looks).paths["html"]).as_uri())
    command = page.locator("#actions .command").first.inner_text()
    button = page.locator("#actions .copy").first
    button.click()
    # The button says it for two seconds, which a slow machine can miss; the announcement stays.
    expect(page.locator("#announcement")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == command
    assert shlex.split(command)[0] == "ansible-playbook"
    assert set(json.loads(shlex.split(command)[-1])) == {"mysql_tls_accounts"}
    by_hand = page.locator("#actions .command").nth(1).inner_text()
    assert re.fullmatch(r"ALTER USER .* REQUIRE SSL;", by_hand)
    context.close()


def test_the_table_header_stays(make_report: MakeReport, looks: dict[str, Look | None], open_page: Open) -> None:
    """At the top of the window while the rows go by."""
    with open_page(make_report(multiplied(looks, 60)).paths["html"]) as opened:
        page = opened.page
        page.locator("#servers-table tbody").nth(40).scroll_into_view_if_needed()
        page.evaluate("document.querySelectorAll('#servers-table tbody')[30].scrollIntoView({behavior: 'instant'})")
        assert page.locator("#servers-table thead th").first.bounding_box()["y"] == pytest.approx(0, abs=1)


def test_keyboard(make_report: MakeReport, looks: dict[str, Look | None], open_page: Open) -> None:
    """Everything that a mouse can do."""
    with open_page(make_report(multiplied(looks, 30)).paths["html"]) as opened:
        page = opened.page
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        assert page.get_by_text("Skip to the content").bounding_box()["x"] >= 0
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"
        reached = []
        for _press in range(60):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.closest('#servers-table th')?.textContent"))
            if reached[-1] == "Status":
                break
        assert reached[-1] == "Status"
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        assert (
            page.locator("#servers-table").get_by_role("columnheader", name="Status").get_attribute("aria-sort")
            == "ascending"
        )
        row = page.locator("#servers-table .open-row").first
        row.focus()
        page.keyboard.press("Enter")
        assert row.get_attribute("aria-expanded") == "true"
        assert page.locator("#servers-table .detail").first.is_visible()
        details = page.locator("#certificates details").first
        details.locator("summary").first.focus()
        page.keyboard.press("Space")
        assert details.get_attribute("open") is not None


def test_hostile_servers(make_report: MakeReport, hostile_looks: dict[str, Look | None], open_page: Open) -> None:
    """Whatever they say stays text; nothing runs, and nothing is asked of anybody."""
    make_report({**hostile_looks, "gone <b>": None}, run="0", title="Earlier")
    made = make_report(hostile_looks, title=f"Report {SCRIPT}")
    with open_page(made.paths["html"]) as opened:
        page = opened.page
        page.wait_for_timeout(200)
        assert page.evaluate("document.pwned") is None
        assert page.locator("script").count() == 1
        assert page.locator("img, iframe, object, embed, link, base, form").count() == 0
        assert page.title() == f"Report {SCRIPT}"
        assert page.get_by_role("heading", level=1).inner_text() == f"Report {SCRIPT}"
        page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true })")
        for button in page.locator(".open-row").all():
            button.click()
        shown = page.locator("body").inner_text()
        for text in (
            f"11.8.0-MariaDB-{SCRIPT}",
            SCRIPT,
            IMAGE,
            BREAKOUT,
            TEMPLATE,
            f"named {IMAGE}",
            f"Too many {SCRIPT}",
        ):
            assert text in shown, text
        certificate = made.report.servers[0].certificate
        assert certificate is not None
        assert "img src=x onerror=document.pwned=1" in certificate.issuer
        assert certificate.issuer in shown
        assert not {"\u202e", "\u2066", "\a", "\x1b"} & set(page.content())
        assert "bell\u2407\u241b[31m@%" in shown
        attributes = page.evaluate(
            "[...document.querySelectorAll('*')].flatMap((e) => e.getAttributeNames()).filter((n) => /^on/.test(n))"
        )
        assert attributes == []


def test_the_policy_forbids_everything_else(
    make_report: MakeReport, hostile_looks: dict[str, Look | None], browser: Browser
) -> None:
    """Even where markup had got in."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(Path(make_report(hostile_looks).paths["html"]).as_uri())
    listener = socket.create_server(("127.0.0.1", 0))
    refused = page.evaluate(
        """async (there) => {
          const refused = [];
          document.addEventListener('securitypolicyviolation', (event) => refused.push(event.effectiveDirective));
          const add = (name, more) => document.body.append(Object.assign(document.createElement(name), more));
          add('script', {textContent: 'document.pwned = 1'});
          add('script', {src: there + 'x.js'});
          add('img', {src: there + 'x.png'});
          add('style', {textContent: `body { background: url(${there}x) }`});
          document.body.insertAdjacentHTML('beforeend', '<b id="b" onclick="document.pwned=1">b</b>');
          document.getElementById('b').click();
          await fetch(there).catch(() => null);
          await new Promise((resolve) => setTimeout(resolve, 100));
          return refused;
        }""",
        f"http://127.0.0.1:{listener.getsockname()[1]}/",
    )
    assert page.evaluate("document.pwned") is None
    assert {"script-src-elem", "img-src", "style-src-elem", "connect-src"} <= set(refused)
    # The browser names requests that it does not make; nobody has come.
    listener.setblocking(False)
    with listener, pytest.raises(BlockingIOError):
        listener.accept()
    context.close()


def test_without_javascript(make_report: MakeReport, looks: dict[str, Look | None], open_page: Open) -> None:
    """The headline and all tables are there, and no control that does nothing."""
    made = make_report(multiplied(looks, 150))
    with open_page(made.paths["html"], java_script_enabled=False) as opened:
        page = opened.page
        assert "Action needed" in page.locator("#verdict h2").inner_text()
        assert page.locator("#servers-table tbody tr:first-child:visible").count() == 150
        assert page.locator("#servers-table tbody .detail:visible").count() == 150
        assert page.locator("button:visible, input:visible, select:visible").count() == 0


def test_printing(make_report: MakeReport, looks: dict[str, Look | None], open_page: Open) -> None:
    """All rows and folded lists on paper, no controls, and black on white even from a dark screen."""
    made = make_report(multiplied(looks, 200))
    with open_page(made.paths["html"], color_scheme="dark") as opened:
        page = opened.page
        screen = page.pdf(prefer_css_page_size=True)
        assert screen.startswith(b"%PDF-")
        assert len(re.findall(rb"/Type\s*/Page\b", screen)) > 5
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.locator("nav:visible, input:visible, select:visible, #paging:visible").count() == 0
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert len(opened.rows()) == 200
        assert page.locator("details:not([open])").count() == 0
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert len(opened.rows()) == 100
        assert page.locator("details:not([open])").count() > 0


@pytest.mark.parametrize("width", [320, 390, 600, 768, 890, 1024, 1440])
def test_narrow(make_report: MakeReport, looks: dict[str, Look | None], open_page: Open, width: int) -> None:
    """Nothing scrolls sideways, neither the page nor a table in it (WCAG 2.2, 1.4.10); rows become cards."""
    long = "The vendor's driver gets TLS in its next release, and the team of the warehouse has a date for that. " * 2
    waiver = {"finding": "transport-not-required", "owner": long, "reason": long, "expires": "2099-03-31"}
    made = make_report(multiplied(looks, 30), waivers=[waiver])
    with open_page(made.paths["html"], viewport={"width": width, "height": 800}) as opened:
        assert "the team of the warehouse" in opened.page.content()
        page = opened.page
        page.locator(".open-row").first.click()
        assert_no_sideways_scroll(opened, width)
        cards = page.evaluate("getComputedStyle(document.querySelector('#servers-table tbody td')).display") == "block"
        assert cards == (width < 880)


def test_two_thousand_servers(make_report: MakeReport, looks: dict[str, Look | None], open_page: Open) -> None:
    """Made in seconds, small enough for a mail, and filtered without lag."""
    many = multiplied(looks, LARGE)
    make_report(many, run="0", junit=False)
    started = time.process_time()
    made = make_report(many, junit=False)
    seconds = time.process_time() - started
    size = Path(made.paths["html"]).stat().st_size
    with open_page(made.paths["html"]) as opened:
        page = opened.page
        elements = page.evaluate("document.querySelectorAll('*').length")
        # From the event to the frame with its result: what is queued in a frame's callback runs after it was painted.
        rounds = page.evaluate(
            """async () => {
              const times = [];
              const input = document.getElementById('filter-text');
              const typed = (text) => new Promise((resolve) => {
                const start = performance.now();
                input.value = text;
                input.dispatchEvent(new Event('input', {bubbles: true}));
                requestAnimationFrame(() => {
                  const channel = new MessageChannel();
                  channel.port1.onmessage = () => resolve(times.push(performance.now() - start));
                  channel.port2.postMessage(null);
                });
              });
              const texts = ['d', 'db', 'db01', 'db019', 'db01', '', 'mariadb', 'mariadb exp', '', 'zz', ''];
              const rounds = [];
              for (let round = 0; round < 5; round++) {
                times.length = 0;
                for (const text of texts) await typed(text);
                rounds.push([...times]);
              }
              return rounds;
            }"""
        )
        page.get_by_role("button", name="Show all").click()
        assert len(opened.rows()) == LARGE
    # Of several tries the quickest, because others may be using the machine.
    slowest = max(min(tries) for tries in zip(*rounds, strict=True))
    print(f"{seconds:.2f} s of CPU, {size / 1e6:.2f} MB, {elements} elements, filter {slowest:.0f} ms")
    assert size < 4_000_000
    assert seconds < 10
    assert elements < 60_000
    # A tenth of that on an idle machine.
    assert slowest < 1000
