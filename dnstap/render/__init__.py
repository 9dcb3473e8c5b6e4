"""Text formats: each is one file, and one row of FORMATS, by the name that the command has for it.

`dnstap.render(name, dnstap)` is this package: it can be called, as the function of the same name.
"""

import sys

from dnstap.render.formats import FORMATS, CallablePackage, render, renderer
from dnstap.render.style import Style

__all__ = ["FORMATS", "Style", "render", "renderer"]

sys.modules[__name__].__class__ = CallablePackage
