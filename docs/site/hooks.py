"""Hooks of MkDocs: the files of the site, its generated pages, and the diagrams."""

from __future__ import annotations

from typing import Any

import command_line
import diagrams
import entry_points
import notebooks
import repository
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

DIALOG = 'data-md-component="search" role="dialog"'


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """All pages of the repository, what they link to, and the generated pages."""
    found = [file for file in files if file.src_uri.startswith("assets/")]
    names = [*repository.page_names(), *repository.pictures(), *repository.EXTRAS]
    found += [_file(name, config) for name in names]
    generated = {
        page: repository.source_page(name) for page, name in repository.linked_files().items()
    }
    generated |= entry_points.pages() | notebooks.pages()
    generated[command_line.PAGE] = command_line.page()
    found += [File.generated(config, page, content=text) for page, text in generated.items()]
    return Files(found)


def _file(name: str, config: MkDocsConfig) -> File:
    return File(name, str(repository.ROOT), config.site_dir, config.use_directory_urls)


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links to source files lead to their pages."""
    return markdown if page.file.generated_by else repository.linked(markdown, page.file.src_uri)


def on_page_content(html: str, **_: Any) -> str:
    """Diagrams are drawn, so that no script is fetched when the page is read."""
    return diagrams.drawn(html)


def on_post_page(output: str, **_: Any) -> str:
    """The dialog of the search has a name, which readers of screens need."""
    return output.replace(DIALOG, f'{DIALOG} aria-label="Search"')
