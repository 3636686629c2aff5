"""Judges message bodies as the tutorials' Python module does, to compare a filter with it.

    oracle.py BODIES THRESHOLD...

BODIES is a file with one body per line, in hexadecimal. For each body one line is printed: a rule,
then one word per threshold. The words say what Python finds:

    alert | below | absent | not-utf8 | not-json | not-a-number | error

The rule says why a filter may, as documented, find something else:

    same           no reason: the filter must agree
    limit          Python refused the body for its depth or its digits;
                   the words are what it finds without these limits
    constant       the body has NaN, Infinity or -Infinity, which JSON does not know
    not-an-object  the body or its machine is no object
    boolean        the temperature is true or false
"""

import json
import json.decoder
import json.scanner
import sys
import threading


def loads(text):
    """The value of `text`, and whether it has a constant that JSON does not know."""
    constants = []

    def constant(name):
        constants.append(name)
        return float(name)

    return json.loads(text, parse_constant=constant), bool(constants)


def loads_without_limits(text):
    """As `loads`, by the decoder's Python half: it has no limit of its own on depth."""
    constants = []
    decoder = json.JSONDecoder(parse_constant=lambda name: constants.append(name) or float(name))
    decoder.parse_object = json.decoder.JSONObject
    decoder.parse_array = json.decoder.JSONArray
    decoder.scan_once = json.scanner.py_make_scanner(decoder)
    depth = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)
    limit_digits(0)
    try:
        return decoder.decode(text), bool(constants)
    finally:
        limit_digits(4300)
        sys.setrecursionlimit(depth)


def limit_digits(count):
    """Sets the longest integer that Python reads; 0 is no limit. Old versions have none."""
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(count)


def judge(data, threshold):
    """The tutorials' condition, and why it does not hold."""
    try:
        if "machine" in data and "temperature" in data["machine"]:
            return "alert" if data["machine"]["temperature"] > threshold else "below"
        return "absent"
    except TypeError:
        return "not-a-number"
    except Exception:
        return "error"


def rule_of(data):
    """Why a filter may find something else in `data`."""
    if type(data) is not dict or "machine" in data and type(data["machine"]) is not dict:
        return "not-an-object"
    if type(data.get("machine", {}).get("temperature")) is bool:
        return "boolean"
    return "same"


def line_for(body, thresholds):
    rule = None
    try:
        text = body.decode("utf-8")
        try:
            data, has_constant = loads(text)
        except json.JSONDecodeError:
            raise
        except (RecursionError, ValueError):
            rule = "limit"
            data, has_constant = loads_without_limits(text)
    except UnicodeDecodeError:
        return " ".join(["same"] + ["not-utf8"] * len(thresholds))
    except json.JSONDecodeError:
        return " ".join([rule or "same"] + ["not-json"] * len(thresholds))
    words = [judge(data, threshold) for threshold in thresholds]
    other = "constant" if has_constant else rule_of(data)
    return " ".join([other if other != "same" else rule or "same"] + words)


def main():
    thresholds = [float(text) for text in sys.argv[2:]]
    with open(sys.argv[1], encoding="ascii") as bodies:
        for line in bodies:
            print(line_for(bytes.fromhex(line), thresholds))


# Deep bodies need a deep stack; a thread can ask for one.
threading.stack_size(256 * 1024 * 1024)
thread = threading.Thread(target=main)
thread.start()
thread.join()
