"""Lists of English abbreviations, titles, names and symbols, and what they stand for."""

from __future__ import annotations

BEFORE_A_NAME = {
    "Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Dr": "Doctor", "Drs": "Doctors", "Prof": "Professor", "Rev": "Reverend",
    "Hon": "Honorable", "Gen": "General", "Col": "Colonel", "Capt": "Captain", "Cpt": "Captain", "Lt": "Lieutenant",
    "Sgt": "Sergeant", "Cpl": "Corporal", "Pvt": "Private", "Maj": "Major", "Cmdr": "Commander", "Adm": "Admiral",
    "Gov": "Governor", "Sen": "Senator", "Rep": "Representative", "Pres": "President", "Messrs": "Messieurs",
    "Mme": "Madame", "Mlle": "Mademoiselle", "St": "Saint", "Ste": "Saint", "Mt": "Mount", "Ft": "Fort", "Fr": "Father",
    "Supt": "Superintendent", "Insp": "Inspector",
}  # fmt: skip
"""Read like this before a capital letter."""

BEFORE_A_NUMBER = {
    "No": "number", "no": "number", "Nos": "numbers", "nos": "numbers", "Nr": "number", "Fig": "figure", "fig": "figure",
    "Figs": "figures", "figs": "figures", "Vol": "volume", "vol": "volume", "Vols": "volumes", "Ch": "chapter",
    "ch": "chapter", "p": "page", "pp": "pages", "Sec": "section", "sec": "section", "Eq": "equation", "eq": "equation",
    "Ex": "example", "ca": "circa", "c": "circa", "Apt": "apartment", "apt": "apartment", "Art": "article", "Pt": "part",
    "Rm": "room", "Tel": "telephone", "tel": "telephone", "Ext": "extension", "ext": "extension",
    "Ste": "suite", "Bldg": "building", "bldg": "building", "Para": "paragraph", "para": "paragraph", "Ver": "version",
    "ver": "version", "Ref": "reference", "Lot": "lot", "pg": "page", "Pg": "page", "Exp": "experiment",
}  # fmt: skip
"""Read like this before a digit or a Roman numeral."""

STREETS = {
    "St": "Street", "Ave": "Avenue", "Blvd": "Boulevard", "Rd": "Road", "Ln": "Lane", "Hwy": "Highway", "Pkwy": "Parkway",
    "Sq": "Square", "Dr": "Drive", "Pl": "Place",
}  # fmt: skip
"""Read like this after a name or an ordinal number."""

ANYWHERE = {
    "etc": ("et cetera", False), "e.g": ("for example", False), "i.e": ("that is", False), "eg": ("for example", True),
    "ie": ("that is", True), "vs": ("versus", False), "v": ("versus", True), "approx": ("approximately", False),
    "dept": ("department", True), "Dept": ("Department", True), "Inc": ("Incorporated", False), "Ltd": ("Limited", False),
    "Corp": ("Corporation", True), "Co": ("Company", True), "Bros": ("Brothers", False), "Jr": ("Junior", False),
    "Sr": ("Senior", True), "Assn": ("Association", True), "Univ": ("University", True), "govt": ("government", False),
    "Govt": ("Government", False), "cf": ("compare", True), "al": ("al", True), "a.k.a": ("also known as", False),
    "aka": ("also known as", False), "misc": ("miscellaneous", True), "max": ("maximum", True), "min": ("minimum", True),
    "avg": ("average", False), "incl": ("including", True), "excl": ("excluding", True), "esp": ("especially", True),
    "est": ("estimated", True), "abbr": ("abbreviation", True), "temp": ("temperature", True), "appt": ("appointment", True),
    "pls": ("please", False), "Esq": ("Esquire", False), "viz": ("namely", True), "hrs": ("hours", False),
}  # fmt: skip
"""Abbreviation -> words, and whether it must have its dot."""

RULERS = tuple(
    "Henry Louis Charles George Edward James William Elizabeth Richard Paul Philip Catherine Peter Nicholas Alexander Ivan "
    "Frederick Ferdinand Francis Benedict Pius Leo Gregory Innocent Clement Urban Napoleon Wilhelm Gustav Gustavus Mary "
    "Christian Carl Karl Leopold Otto Rudolf Joseph Pedro Juan Carlos Alfonso Felipe Umberto Victor Boniface Adrian Julius "
    "Sixtus Alexandra Ptolemy Ramses Ramesses Thutmose Amenhotep Cleopatra Darius Xerxes Artaxerxes Constantine Theodosius "
    "Justinian Basil Harald Haakon Olaf Malcolm Robert David Baldwin Selim Mehmed Murad Suleiman Margrethe Beatrix "
    "Celestine Honorius Callixtus Martin Stephen Nicephorus Manuel Andronicus".split()
)
NUMBERED = (
    "World War", "Part", "Chapter", "Book", "Act", "Scene", "Volume", "Vol", "Section", "Article", "Type", "Phase", "Class",
    "Stage", "Level", "Grade", "Title", "Appendix", "Super Bowl", "Rocky", "Final Fantasy", "Apollo", "Episode", "Mark",
    "Figure", "Table", "Canto", "Psalm", "Quebec", "Vatican", "Punic War", "Round", "Division", "Group", "Category",
    "chapter", "part", "volume", "section", "type", "phase", "stage", "book", "page", "figure", "table",
)  # fmt: skip

LETTERED = frozenset(
    "Type Class Level Grade Appendix Figure Table Group Division Category Quebec Vatican type page figure table".split()
)
"""Behind these, a lone V or X is a letter."""

DOMAINS = tuple(
    "com org net edu gov io ai dev app info uk eu de fr ca au ch nl jp us co "
    "txt pdf py js html css csv json yaml yml xml zip exe png jpg jpeg gif mp3 mp4 wav flac md doc docx xls xlsx".split()
)
WORDLIKE_DOMAINS = frozenset("com org net gov dev app info co zip doc wav edu".split())

SYMBOLS = {
    "&": "and", "+": "plus", "=": "equals", "@": "at", "%": "percent", "°": "degrees", "×": "times", "÷": "divided by",
    "±": "plus or minus", "≈": "is about", "≠": "is not equal to", "≤": "is at most", "≥": "is at least", "<": "less than",
    ">": "greater than", "→": "to", "⇒": "to", "−": "minus", "√": "square root of", "∞": "infinity", "§": "section",
    "©": "copyright", "€": "euros", "£": "pounds", "$": "dollars", "¥": "yen", "₹": "rupees", "¢": "cents",
    "²": "squared", "³": "cubed", "№": "number", "/": "slash", "\\": "backslash", "^": "to the power of", "#": "hash",
    "~": "about", "|": ",", "*": "", "_": " ", "`": "", "®": "", "™": "", "•": "", "·": "", "†": "", "‡": "", "¶": "",
    "{": "", "}": "",
}  # fmt: skip
