"""The names of units, currencies and scales."""

from __future__ import annotations

from tts_fm.text.tables import rows

SCALES = {
    "k": "thousand", "K": "thousand", "m": "million", "M": "million", "mn": "million", "B": "billion", "bn": "billion",
    "tn": "trillion", "T": "trillion", "b": "billion", "lakh": "lakh", "crore": "crore",
    "thousand": "thousand", "million": "million", "billion": "billion", "trillion": "trillion",
}  # fmt: skip

CURRENCIES = {symbol: tuple("" if name == "-" else name for name in names) for symbol, *names in rows("currencies")}
"""Symbol -> one, many, one hundredth, many hundredths (empty: no hundredths)."""


def _regular(names: str) -> dict[str, tuple[str, str, bool]]:
    """``"km kilometer, ..."``: the plural ends in "s"; ``!`` marks a symbol that must touch its number."""
    table = {}
    for entry in names.split(","):
        symbol, name = entry.split(maxsplit=1)
        table[symbol.rstrip("!")] = (name.strip(), name.strip() + "s", symbol.endswith("!"))
    return table


def _phrases(names: str) -> dict[str, tuple[str, str, bool]]:
    """``"mph mile/s per hour"``: the slash stands before what only the plural has."""
    table = {}
    for entry in names.split(","):
        symbol, name = entry.split(maxsplit=1)
        head, _, rest = name.strip().partition("/s")
        symbol, needs_contact = symbol.rstrip("!").replace("_", " "), symbol.endswith("!")
        table[symbol] = (head + rest, f"{head}s{rest}" if "/s" in name else name.strip(), needs_contact)
    return table


UNITS: dict[str, tuple[str, str, bool]] = {
    **_regular(
        "km kilometer, m meter, cm centimeter, mm millimeter, µm micrometer, μm micrometer, nm nanometer, mi mile, yd yard, "
        "kg kilogram, g gram, mg milligram, µg microgram, μg microgram, lb pound, lbs pound, oz ounce, t! ton, "
        "l liter, L liter, ml milliliter, mL milliliter, cl centiliter, gal gallon, "
        "s second, sec second, secs second, ms millisecond, ns nanosecond, µs microsecond, μs microsecond, "
        "min minute, mins minute, h hour, hr hour, hrs hour, yr year, yrs year, "
        "KB kilobyte, kB kilobyte, MB megabyte, GB gigabyte, TB terabyte, PB petabyte, Gb gigabit, Mb megabit, "
        "W watt, kW kilowatt, MW megawatt, GW gigawatt, V volt, kV kilovolt, mV millivolt, A! amp, mA milliamp, "
        "mAh milliamp hour, kWh kilowatt hour, MWh megawatt hour, J joule, kJ kilojoule, N! newton, Pa pascal, "
        "kPa kilopascal, hPa hectopascal, cal calorie, kcal kilocalorie, dB decibel, ha hectare, px pixel, pt point, "
        "tbsp tablespoon, tbs tablespoon, tsp teaspoon, qt quart, mcg microgram, kgs kilogram, kms kilometer, dl deciliter, "
        "hl hectoliter, lm lumen, mol mole, kJ kilojoule, GWh gigawatt hour, Wh watt hour, GPa gigapascal, MPa megapascal, "
        "MP megapixel, x! time, ° degree, Ω ohm, kΩ kilohm, bit/s bit per second"
    ),
    **_phrases(
        "% percent, ‰ per mille, °C degree/s Celsius, °F degree/s Fahrenheit, ° degree/s, ft foot, ft! foot, "
        "Hz hertz, kHz kilohertz, MHz megahertz, GHz gigahertz, THz terahertz, K! K, "
        "km/h kilometer/s per hour, kph kilometer/s per hour, kmh kilometer/s per hour, mph mile/s per hour, "
        "m/s meter/s per second, km/s kilometer/s per second, rpm revolution/s per minute, bpm beat/s per minute, "
        "fps frame/s per second, dpi dot/s per inch, kbps kilobit/s per second, Mbps megabit/s per second, "
        "Gbps gigabit/s per second, kB/s kilobyte/s per second, MB/s megabyte/s per second, GB/s gigabyte/s per second, "
        "m² square meter/s, m2 square meter/s, m^2 square meter/s, km² square kilometer/s, km2 square kilometer/s, "
        "cm² square centimeter/s, mm² square millimeter/s, m³ cubic meter/s, m3 cubic meter/s, cm³ cubic centimeter/s, "
        "sq_km square kilometer/s, sq_m square meter/s, sq_mi square mile/s, m/s² meter/s per second squared, "
        "mpg mile/s per gallon, hp horsepower, psi pound/s per square inch, mmHg millimeter/s of mercury, "
        "fl_oz fluid ounce/s, Mbit/s megabit/s per second, kbit/s kilobit/s per second, kg/m³ kilogram/s per cubic meter, "
        "L/min liter/s per minute, l/min liter/s per minute, g/l gram/s per liter, mg/l milligram/s per liter, "
        "bit/s bit/s per second"
    ),
    "ft": ("foot", "feet", False),
    "in": ("inch", "inches", True),
    "sq ft": ("square foot", "square feet", False),
    "ft²": ("square foot", "square feet", False),
}
"""Symbol -> one, many, and whether it means the unit only where it touches its number."""
