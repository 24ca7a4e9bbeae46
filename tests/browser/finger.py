"""A finger on the screen, as a phone reports it."""

from playwright.sync_api import Locator


def swipe(target: Locator, across: int, down: int) -> None:
    """Touch the middle of an element, move so many pixels in ten steps, and let go."""
    page = target.page
    session = page.context.new_cdp_session(page)
    box = target.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 11):
        point = {"x": x + across * step / 10, "y": y + down * step / 10}
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
        page.wait_for_timeout(30)
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    session.detach()
