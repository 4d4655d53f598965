"""Draw the README's picture, book/_static/hero.svg, from the landing page's figure: `python code/authoring/readme_picture.py`.

The figure's still picture is several small ones with HTML between them; a README takes one. The pieces are stacked on a white card.
"""

import base64
import re
from pathlib import Path

from ropebook.figures import static

TARGET = Path(__file__).resolve().parents[2] / "book/_static/hero.svg"
WIDTH, HEIGHT = 720, 596
FONT = 'font-family="system-ui, sans-serif" text-anchor="middle"'


def picture():
    """The SVG's text."""
    html = static.placeholder("hero")
    strip, *dials, curve = (base64.b64decode(data).decode() for data in re.findall(r"svg\+xml;base64,([^\"]+)", html))
    labels = re.findall(r"one turn in \d+ tokens", html)
    place = lambda svg, x, y: re.sub(r' style="[^"]*"', "", svg, count=1).replace("<svg ", f'<svg x="{x}" y="{y}" overflow="visible" ', 1)
    middle = lambda i: WIDTH / 2 + (i - (len(dials) - 1) / 2) * 172
    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" rx="12" fill="#ffffff"/>', place(strip, 0, 10)]
    for i, (dial, label) in enumerate(zip(dials, labels, strict=True)):
        parts.append(place(dial, middle(i) - 80, 196))
        parts.append(f'<text x="{middle(i)}" y="374" {FONT} font-size="12" fill="#59616a">{label}</text>')
    parts.append(place(curve, 0, 384))
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">{"".join(parts)}</svg>\n'


if __name__ == "__main__":
    TARGET.write_text(picture(), encoding="utf-8")
