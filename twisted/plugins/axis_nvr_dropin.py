"""Makes ``twistd axis-nvr`` and ``python -m twisted axis-nvr`` known."""

from twisted.application.service import ServiceMaker

axis_nvr = ServiceMaker("axis_nvr", "axis_nvr.tap", "A network video recorder", "axis-nvr")
