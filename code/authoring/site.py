"""The site's own Sphinx extension: what Jupyter Book leaves to do so that the book reads offline.

  {ropebook-figure}     a directive for .md pages: an interactive figure's static picture, hydrated by its module
  {ropebook-equations}  a directive: the table of equations, of the chapters or of the paper
  equations             each display of a chapter leads to its row in that table
  numbers               a chapter's number, from its file name, before its title
  links                 Markdown links find HTML anchors; hrefs to .ipynb and .md inside raw HTML become .html
  figures               loader and modules as classic scripts in _static/figures/, on pages that hold a figure
  palette               ropebook/figures/palette.json as CSS variables --rb-q, --rb-k, ...
  assets                MathJax from sphinx-mathjax-offline; icon fonts, source maps and licences of unused parts dropped
"""

import html
import importlib.util
import json
import os
import re
import shutil
import sys
from pathlib import Path

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

sys.path.append(str(Path(__file__).parent))  # where the book's other tools lie

import equations  # noqa: E402
import notebooks  # noqa: E402

PALETTE = Path(__file__).parents[1] / "ropebook/figures/palette.json"
ANCHOR = re.compile(r'<a\s[^>]*?\bid="([^"]+)"')
CHAPTER = re.compile(r"book/0*(\d+[a-z]?)_\w+")
FIGURE = re.compile(r'data-figure="([a-z0-9_-]+)"')
SOURCE_LINK = re.compile(r'(<a\s[^>]*?href=")([^":?#]+)\.(?:ipynb|md)(?=[#"])')
UNUSED = ["scripts/fontawesome.js*", "vendor/fontawesome", "locales", "images/logo_[!c]*", "sbt-webpack-macros.html",
          "webpack-macros.html", "scripts/*.map", "styles/*.map"]

logger = logging.getLogger(__name__)


class RopebookFigure(SphinxDirective):
    """```{ropebook-figure} hero``` with the state as JSON in its body, or nothing for the default state."""

    required_arguments = 1
    has_content = True

    def run(self):
        from ropebook.figures import static

        state = json.loads("\n".join(self.content) or "{}")
        return [nodes.raw("", static.placeholder(self.arguments[0], **state), format="html")]


class RopebookEquations(SphinxDirective):
    """```{ropebook-equations} chapters```: a section with a table for each chapter; or `paper`: one table of the paper's equations."""

    required_arguments = 1

    def run(self):
        self.rows, table = equations.all_rows(), equations.read_table()
        if self.arguments[0] == "chapters":
            return [self.chapter(path, table["equations"]) for path in equations.chapters() if equations.displayed(path)]
        shown = equations.of_paper(self.rows)
        lines = [self.paper_line(number, entry, shown.get(number, [])) for number, entry in table["paper"].items()]
        return [table_node((2, 8, 4, 6), [row_node("no.", "what it says", "chapter", "a slip, or a step to watch")], lines)]

    def chapter(self, path, entries):
        """A chapter's section; in its table two lines an equation, the formula above what checks, computes and tests it."""
        number = equations.short(path.stem)
        lines = [line for row in equations.displayed(path) for line in self.equation(row, entries[row.tag])]
        heads = [row_node("no.", cell("equation", columns=4)), row_node("also in", "what is checked", "NumPy", "torch", "test")]
        title = nodes.title("", f"Chapter {number}: {equations.title(path)}")
        return nodes.section("", title, table_node((5, 11, 9, 9, 13), heads, lines), ids=[f"chapter-{number}"])

    def equation(self, row, entry):
        """The two lines of one equation."""
        formula = nodes.math_block("", row.record["latex"], nowrap=False, number=None, label=None)
        others = [link(other, f"ch.\u00a0{other.number}") for other in self.rows if other.tag == row.tag and other.chapter != row.chapter]
        torch = [code_node(entry["torch"]) if "torch" in entry else "–"]
        computed = [cell(code_node(entry["numpy"])), *torch] if "numpy" in entry else [cell(*self.markdown(entry["why"]), columns=2)]
        return (row_node(link(row, f"({row.tag})"), nodes.entry("", formula, morecols=3), ids=[row.anchor], classes=["formula"]),
                row_node(cell(*separated(others)), cell(*checked(row.record)), *computed, code_node(entry["test"])))

    def paper_line(self, number, entry, shown):
        """One of the paper's equations; where it is shown, or which chapter will show it."""
        links = [link(row, row.number if row.tag == number else f"{row.number} ({row.tag})") for row in shown]
        where = separated(links) or [nodes.Text(f"{equations.short(entry['chapter'])}, to come")]
        return row_node(f"({number})", cell(*self.markdown(entry["what"])), cell(*where), cell(*self.markdown(entry.get("slip", ""))))

    def markdown(self, text):
        return self.parse_inline(text)[0]


def table_node(widths, heads, lines):
    columns = [nodes.colspec("", colwidth=width) for width in widths]
    group = nodes.tgroup("", *columns, nodes.thead("", *heads), nodes.tbody("", *lines), cols=len(widths))
    return nodes.table("", group, classes=["colwidths-given", "equations"])


def row_node(*content, **attributes):
    """A table's row of entries; a text or an inline node becomes one."""
    return nodes.row("", *(part if isinstance(part, nodes.entry) else cell(part) for part in content), **attributes)


def cell(*content, columns=1):
    inline = [nodes.Text(part) if isinstance(part, str) else part for part in content]
    return nodes.entry("", nodes.paragraph("", "", *inline), **({"morecols": columns - 1} if columns > 1 else {}))


def separated(parts):
    """The nodes with commas between them."""
    return [node for part in parts for node in (nodes.Text(", "), part)][1:]


def link(row, text):
    """To the place in a chapter where an equation stands."""
    return nodes.reference("", text, refuri=f"{row.chapter}.html#eq-{row.tag}", internal=True)


def code_node(name):
    """A dotted name or a test's id, which may be broken after its dots, slashes, colons and underscores."""
    broken = re.sub(r"(?<=[./_])|(?<=::)", "<wbr>", html.escape(name))
    return nodes.raw("", f'<code class="literal">{broken}</code>', format="html")


def checked(record):
    """The kind of an equation and, for an identity, the mutated forms that its check rejects; for a definition, its code."""
    parts = [nodes.Text(record["kind"])]
    if record["mutants"]:
        unbroken = re.sub(r" ([−+]) ", "\u00a0\\1\u00a0", "; ".join(record["mutants"]))
        parts.append(nodes.Text(f"; rejected when changed: {unbroken}"))
    if record["code"]:
        parts += [nodes.Text(", in code "), code_node(record["code"])]
    return parts


class RawAnchors(SphinxTransform):
    """Let Markdown links, [(11)](#eq-11), find anchors written in HTML, <a id="eq-11"></a>."""

    default_priority = 878  # just before MyST resolves such links

    def apply(self):
        anchors = getattr(self.document, "myst_slugs", {})
        for raw in self.document.findall(nodes.raw):
            anchors.update({name: (raw.line, name, "") for name in ANCHOR.findall(raw.astext())})


def palette_css():
    """The palette as CSS: one custom property per colour, light by default, dark under data-theme."""
    palette = json.loads(PALETTE.read_text(encoding="utf-8"))
    light, dark = ("".join(f"--rb-{name}:{colour};" for name, colour in palette[mode].items()) for mode in ("light", "dark"))
    return f":root{{{light}}}html[data-theme=dark]{{{dark}}}"


def number_title(app, doctree):
    """Put a chapter's number, which its file name carries, before its title: on the page, in the sidebar, in search."""
    chapter = CHAPTER.fullmatch(app.env.docname)
    if chapter:
        next(doctree.findall(nodes.title)).insert(0, nodes.Text(f"{chapter[1]}. "))


def lead_to_table(app, doctree):
    """Give each numbered display of a chapter a quiet link to its row in the table of equations."""
    docname = app.env.docname
    tagged = [(block, tag[1]) for block in doctree.findall(nodes.math_block) if (tag := notebooks.TAG.search(block.astext()))]
    for block, tag in tagged if CHAPTER.fullmatch(docname) else []:
        anchor, name = equations.anchor(docname.split("/")[-1], tag), f"equation {tag} in the table of equations"
        mark = f'<a class="to-table" href="equations.md#{anchor}" title="{name}" aria-label="{name}"></a>'
        block.replace_self(nodes.container("", block.deepcopy(), nodes.raw("", mark, format="html"), classes=["equation"]))


def mend_links(app, doctree, docname):
    """Point raw-HTML links at the built pages; name links that lead nowhere, and pictures from elsewhere."""

    def to_html(match):
        target = os.path.normpath(os.path.join(os.path.dirname(docname), match[2]))
        if target not in app.env.found_docs:
            logger.warning("link to %s, which is no page of the book", match[0].rpartition('"')[2], location=docname)
        return f"{match[1]}{match[2]}.html"

    for raw in doctree.findall(nodes.raw):
        if raw["format"] == "html":
            text = SOURCE_LINK.sub(to_html, raw.astext())
            raw.children = [nodes.Text(text)]
            raw.rawsource = text
    for image in doctree.findall(nodes.image):
        if "://" in image["uri"]:
            logger.warning("picture from another host: %s", image["uri"], location=docname)


def mend_html(body):
    """What listeners stumble over: a role that is deprecated and wrong in a list, and headings of tables that say nothing."""
    body = body.replace('role="doc-biblioentry"', 'role="listitem"')
    return re.sub(r"<th[^>]*>(?:<p></p>)?</th>", "<td></td>", body)


def add_to_page(app, pagename, templatename, context, doctree):
    """Give every page the palette, and pages with figures the loader."""
    context["palette_css"] = palette_css()
    context["body"] = mend_html(context.get("body", ""))
    names = set(FIGURE.findall(context["body"]))
    if names:
        app.env.ropebook_figures = getattr(app.env, "ropebook_figures", set()) | names
        app.add_js_file("figures/loader.js", loading_method="defer")


def write_figures(out, names):
    from ropebook.figures import static

    out.mkdir(exist_ok=True)
    (out / "loader.js").write_text(static.loader(), encoding="utf-8")
    for name in names:
        (out / f"{name}.js").write_text(static.bundle(name), encoding="utf-8")


def copy_mathjax(out):
    """The TeX component, the fonts and the extensions that it loads on demand: 2 MB of the package's 24."""
    package = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent / "static/mathjax"
    for part in ("tex-chtml.js", "output/chtml/fonts/woff-v2", "input/tex/extensions"):
        source, target = package / part, out / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, target)


def drop_icon_font(stylesheet):
    """Cut Font Awesome (95 kB of rules, 543 kB of fonts) out of the theme's CSS; book.css draws the icons in use."""
    css = stylesheet.read_text(encoding="utf-8")
    css, cuts = re.subn(r"/\*!\s*\* Font Awesome.*?(?=html\{--pst-)", "", css, flags=re.DOTALL)
    if cuts != 1:
        raise ValueError(f"expected one run of icon rules in {stylesheet.name}, found {cuts}")
    stylesheet.write_text(css, encoding="utf-8")


def finish(app, exception):
    if exception or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    copy_mathjax(static / "mathjax")
    drop_icon_font(static / "styles/pydata-sphinx-theme.css")
    names = getattr(app.env, "ropebook_figures", set())
    if names:
        write_figures(static / "figures", names)
    for pattern in UNUSED:
        for path in static.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def setup(app):
    app.add_config_value("comments_config", {}, "")  # Jupyter Book sets it for an extension that the book leaves out
    app.add_directive("ropebook-figure", RopebookFigure)
    app.add_directive("ropebook-equations", RopebookEquations)
    app.add_css_file("book.css", priority=900)
    app.add_js_file("book.js", loading_method="defer")
    app.add_transform(RawAnchors)
    app.connect("doctree-read", number_title, priority=100)  # before Sphinx collects the titles
    app.connect("doctree-read", lead_to_table)
    app.connect("doctree-resolved", mend_links)
    app.connect("html-page-context", add_to_page)
    app.connect("build-finished", finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": False}
