"""A run as one page for the browser: what it holds, packed, and the page around it."""

from ._page import Page as Page, page as page
