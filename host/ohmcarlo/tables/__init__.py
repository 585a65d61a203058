"""One reader for every delimited text: data sets, predictions, measurements, presets."""

from __future__ import annotations

from .cells import MISSING as MISSING
from .cells import OVERLOADS as OVERLOADS
from .cells import is_missing as is_missing
from .cells import is_overload as is_overload
from .cells import number as number
from .content import Text as Text
from .content import read_text as read_text
from .content import read_texts as read_texts
from .reading import LEAVE_OUT as LEAVE_OUT
from .reading import parse_table as parse_table
from .reading import read_table as read_table
from .table import AS_NAN as AS_NAN
from .table import REFUSE as REFUSE
from .table import NotANumber as NotANumber
from .table import Table as Table
from .table import plain as plain
