"""The colours of plots and overlays, which people with any colour vision can tell apart.

Okabe and Ito, "Color Universal Design", 2008.
"""

from typing import Final

BLUE: Final = "#0072B2"
GREEN: Final = "#009E73"
ORANGE: Final = "#E69F00"
PURPLE: Final = "#CC79A7"
SKY: Final = "#56B4E9"
VERMILION: Final = "#D55E00"
YELLOW: Final = "#F0E442"
