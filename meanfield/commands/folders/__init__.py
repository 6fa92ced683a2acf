"""Commands on the folder of a run: shown, drawn, viewed, exported."""

from ._pictures import save_picture as save_picture
