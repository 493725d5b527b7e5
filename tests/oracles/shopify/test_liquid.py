"""The block and the proxy's Liquid, rendered by Shopify's own engine and by liquidjs: the same bytes, nothing of them made up."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from tests.oracles.shopify.conftest import HERE

from everloop.connect.arms.folder import assignment
from everloop.connect.shopify.proxy import Listed, cards
from everloop.rollout.assign import arm_of
from everloop.testing.registry import traffic

pytestmark = pytest.mark.slow
STOREFRONT = "extensions/everloop-storefront"
EVIL = [
    "Dark roast",
    "{{ shop.email }}",
    "{% render 'secrets' %}",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' & </li>",
    "珈琲 süß {%- comment -%}",
]
SHOP = {"email": "owner@beans.example"}


def product(n, title, **said):
    picture = {"src": f"/p{n}.jpg", "alt": title if n % 2 else None}
    return {"id": n, "title": title, "url": f"/products/p{n}", "price": 1000 + n, "available": True, "featured_image": picture, **said}


LIST = [product(n, title) for n, title in enumerate(EVIL, 10)]


@pytest.fixture
def rendered(node, modules, files, ruby):
    """What both engines make of templates; they must agree to the last byte."""

    def both(cases):
        snippets = files / STOREFRONT / "snippets"
        mine = node("render.mjs", cases, snippets)
        done = subprocess.run([ruby, HERE / "render.rb", snippets], input=json.dumps(cases), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        theirs = json.loads(done.stdout)
        assert theirs == mine
        return theirs

    return both


def page(files, *, rollout=None, on=None, customer=None, beforehand=LIST, **settings):
    """One rendering of the block."""
    stands = {key: value for key, value in {"assignment": rollout, "on": on}.items() if value is not None}
    said = {"metafields": {"everloop": {"serving": {"value": {"models": {"recommend": stands}} if stands else None}}}}
    shown = product(1, "This one", variants=[{"id": 1001}, {"id": 1002}], metafields={"$app": {"recommendations": {"value": beforehand}}})
    chosen = {"product": shown, "heading": "Goes with it", "most": 8, "columns": 4, "path": "/apps/everloop"} | settings
    given = {
        "app": said,
        "block": {"settings": chosen, "shopify_attributes": 'data-block="b1"'},
        "customer": {"id": customer} if customer else None,
        "shop": SHOP,
    }
    given |= {
        "cart": {"items": [{"product_id": 5}, {"product_id": 5}], "currency": {"iso_code": "EUR"}, "attributes": {"_everloop_unit": "<b>"}}
    }
    return {"template": (files / STOREFRONT / "blocks/recommendations.liquid").read_text(), "given": given}


def canary(share=0.5, control=0.2, stage="canary"):
    return traffic(2, stage=stage, candidate="v1", share=share, salt="5e1", control=control)


def customers(here):
    """A customer of each arm."""
    found = {}
    for number in range(1000):
        found.setdefault(arm_of(str(number), here), number)
    return found


def of_each_arm():
    here = canary()
    return {arm: (here, number) for arm, number in customers(here).items()}


def said_arm(html):
    return re.search(r'data-arm="(.*?)"', html)[1]


def test_both_engines_render_the_same_bytes_for_every_arm_and_the_arm_is_the_houses_own(rendered, files):
    arms = of_each_arm()
    assert set(arms) == {"champion", "candidate", "control"}
    cases = [page(files, rollout=assignment(here), customer=number) for here, number in arms.values()]
    html = dict(zip(arms, rendered(cases), strict=True))
    assert {arm: said_arm(text) for arm, text in html.items()} == {arm: arm for arm in arms}
    assert html["champion"].count("everloop__link") == html["candidate"].count("everloop__link") == len(LIST)
    assert html["control"].count("everloop__link") == 0
    assert html["control"].count("everloop__card--empty") == 1


def test_while_a_person_holds_the_model_the_page_says_so_and_shows_what_the_champion_says(rendered, files):
    held, free, nothing = rendered([page(files, on=False), page(files, on=True), page(files)])
    assert "data-still" in held
    assert "data-still" not in free + nothing
    assert said_arm(held) == said_arm(nothing) == "champion"
    assert held.count("everloop__link") == len(LIST)


def test_a_visitor_without_a_name_is_shown_the_champions_list_until_the_browser_asks(rendered, files):
    (html,) = rendered([page(files, rollout=assignment(canary(share=1.0, control=0.0)))])
    assert said_arm(html) == "champion"


def test_what_is_sold_out_or_the_page_itself_is_not_shown_and_no_more_than_wanted(rendered, files):
    some = [product(1, "This one"), product(2, "Sold out", available=False), *[product(n, f"P{n}") for n in range(3, 20)]]
    few, none = rendered([page(files, beforehand=some, most=3), page(files, beforehand=None)])
    assert re.findall(r'data-product="(\d*)"', few)[1:] == ["3", "4", "5"]
    assert none.count("everloop__card--empty") == 1


def inert(html):
    assert SHOP["email"] not in html
    assert "<script" not in html
    assert not re.search(r"<img src=x", html)
    for title in EVIL:
        if re.search(r"[<>\"]", title):
            assert title not in html


def test_titles_that_are_liquid_or_script_are_inert_in_the_page(rendered, files):
    (html,) = rendered([page(files, heading="</h2><script>x</script>{{ shop.email }}", path='"><script>')])
    inert(html)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "{{ shop.email }}" in html  # as letters, rendered once


def test_titles_and_handles_that_are_liquid_or_script_are_inert_in_what_the_proxy_says(rendered):
    handles = {str(n): f"p{n}" for n in range(10, 17)} | {"8": "a', b: shop.email %}{{ shop.email }}"}
    liquid = cards(Listed(tuple(handles), "model", "9d0041{{ shop.email }}", "{% x", "<script>"), handles)
    products = {f"p{one['id']}": one for one in LIST}
    (html,) = rendered([{"template": liquid, "given": {"all_products": products, "shop": SHOP}}])
    inert(html)
    assert html.count("everloop__link") == len(LIST)
    assert html.startswith("<ul data-everloop-answer")


def test_a_proxy_that_trusted_its_words_would_be_found_out(rendered):
    (html,) = rendered([{"template": "{% layout none %}<p>{{ shop.email }}</p>", "given": {"shop": SHOP}}])
    with pytest.raises(AssertionError):
        inert(html)


def test_a_product_that_is_not_to_be_seen_is_not_shown(rendered):
    liquid = cards(Listed(("10", "11"), "model", "9d00410c", "champion", "m@1"), {"10": "p10", "11": "gone"})
    (html,) = rendered([{"template": liquid, "given": {"all_products": {"p10": LIST[0]}, "shop": SHOP}}])
    assert html.count("everloop__link") == 1
