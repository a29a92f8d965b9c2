"""Templates that mean harm, or are written badly enough: what each does, and how it must end.

Endings: "time", "memory", "output", "recursion" are the limits; "refused" is an error that jinja or
the template raises; "text" is a render. Where several are fine, they are joined by "|". On a slow
machine time may run out before any other limit does.
"""

from __future__ import annotations

_DOUBLE = "{% set ns = namespace(s='ab') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}"
_DEEP_LIST = (
    "{% set ns = namespace(l=[]) %}{% for i in range(3000) %}{% set ns.l = [ns.l] %}{% endfor %}"
)

HOSTILE: dict[str, tuple[str, str]] = {
    # Time.
    "nested loops": (
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "time",
    ),
    "nested loops that print": (
        "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
        "time|memory",
    ),
    "loops in loops in loops": (
        (
            "{% for i in range(999) %}{% for j in range(999) %}{% for k in range(999) %}"
            "{% set x = i * j * k %}{% endfor %}{% endfor %}{% endfor %}"
        ),
        "time",
    ),
    "a power tower": ("{{ 9 ** (9 ** 9) }}", "time"),
    "a power tower of variables": ("{% set a = 9 %}{{ a ** (a ** a) }}", "time"),
    "a huge power of a huge power": (
        "{% set a = 10 %}{{ ((a ** 100000) ** 100) % 7 }}",
        "time|text",
    ),
    "a shift by much": ("{% set a = 7 %}{{ (a ** 3000000) // (a ** 1500000) % 3 }}", "time|text"),
    "lorem ipsum": ("{{ lipsum(n=100000) }}", "time"),
    "lorem ipsum, long paragraphs": ("{{ lipsum(n=9, min=10**8, max=10**9) }}", "time|memory"),
    "a sum in a loop": (
        "{% for i in range(99999) %}{% set x = range(99999) | sum %}{% endfor %}",
        "time",
    ),
    "a sort in a loop": (
        "{% for i in range(99999) %}{% set x = range(9999) | sort(reverse=true) | list %}{% endfor %}",
        "time",
    ),
    "joins in a loop": (
        "{% for i in range(99999) %}{% set x = range(9999) | join('') | length %}{% endfor %}",
        "time",
    ),
    "a macro in loops": (
        (
            "{% macro f(x) %}{% for i in range(99999) %}{% set y = x %}{% endfor %}{% endmacro %}"
            "{% for i in range(99999) %}{{ f(i) }}{% endfor %}"
        ),
        "time",
    ),
    "branching recursion": (
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "time",
    ),
    "a recursive loop": (
        (
            "{% for i in [1, 2] recursive %}{% if loop.depth < 60 %}{{ loop([1, 2]) }}{% endif %}"
            "{% endfor %}"
        ),
        "time",
    ),
    "much searching": (
        (
            "{% set s = 'a' * 3000000 %}{% for i in range(9999) %}{% if (s ~ 'b') in (s ~ s) %}x"
            "{% endif %}{% endfor %}"
        ),
        "time|text",
    ),
    "generation blocks in loops": (
        (
            "{% for i in range(99999) %}{% for j in range(9999) %}{% generation %}x{% endgeneration %}"
            "{% endfor %}{% endfor %}"
        ),
        "time|memory",
    ),
    "wrapping in a loop": (
        "{% set s = 'a ' * 300000 %}{% for i in range(999) %}{% set x = s | wordwrap(2) %}{% endfor %}",
        "time",
    ),
    "batches in a loop": (
        "{% for i in range(99999) %}{% set x = range(99999) | batch(3) | list %}{% endfor %}",
        "time|memory",
    ),
    # Memory.
    "a long string": ("{{ 'a' * 10**9 }}", "memory"),
    "a longer string": ("{{ 'a' * 10**11 }}", "memory"),
    "a long string that is not printed": ("{% set n = 10**9 %}{{ ('a' * n) | length }}", "memory"),
    "a long list": ("{% set n = 10**9 %}{{ ([0] * n) | length }}", "memory"),
    "string doubling": (_DOUBLE + "{{ ns.s | length }}", "memory"),
    "list doubling": (
        (
            "{% set ns = namespace(l=[0, 1]) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l %}"
            "{% endfor %}"
        ),
        "memory",
    ),
    "a wide format": ("{{ '{:>1000000000}'.format('a') }}", "memory"),
    "a wide format of a number": ("{{ '{:01000000000d}'.format(1) }}", "memory"),
    "a wide percent format": ("{{ '%1000000000d' % 1 }}", "memory|time"),
    "a wide percent format by argument": ("{{ '%*d' | format(1000000000, 1) }}", "memory|time"),
    "replace that blows up": (
        "{% set s = 'a' * 30000 %}{{ s | replace('a', s) | length }}",
        "memory",
    ),
    "the replace method": ("{% set s = 'a' * 30000 %}{{ s.replace('a', s) | length }}", "memory"),
    "indent": ("{{ ('a\n' * 1000) | indent(1000000) | length }}", "memory|time"),
    "center": ("{{ 'a' | center(10**9) | length }}", "memory"),
    "ljust": ("{{ 'a'.ljust(10**9) | length }}", "memory"),
    "zfill": ("{{ '1'.zfill(10**9) | length }}", "memory"),
    "expandtabs": ("{{ '\t'.expandtabs(10**9) | length }}", "memory"),
    "join that blows up": (
        "{% set s = 'a' * 100000 %}{{ range(99999) | join(s) | length }}",
        "memory",
    ),
    "split into many": ("{{ ('a ' * 90000000).split() | length }}", "memory"),
    "tojson with a wide indent": (
        "{{ ([1] * 99999) | tojson(indent=100000) | length }}",
        "memory|time",
    ),
    "a list of lists": (
        (
            "{% set ns = namespace(l=[]) %}{% for i in range(99999) %}"
            "{% set ns.l = ns.l + [range(99999) | list] %}{% endfor %}"
        ),
        "memory|time",
    ),
    "a big capture": (
        "{% set x %}{% for i in range(99999) %}{{ 'a' * 100000 }}{% endfor %}{% endset %}{{ x }}",
        "memory|time",
    ),
    "slices": ("{{ range(99999) | slice(10**9) | list | length }}", "memory|time"),
    "encoded": ("{{ ('é' * 10**9).encode('utf-8') | length }}", "memory"),
    # Output.
    "much output": ("{% set s = 'a' * 5000000 %}{{ s }}{{ s }}{{ s }}{{ s }}{{ s }}", "output"),
    "much output of control characters": ("{{ '\\x01' * 30000000 }}", "output|memory"),
    "a long refusal": ("{{ raise_exception('no' * 900000) }}", "refused"),
    "a long refusal that is no text": (
        "{{ raise_exception([messages] * 9000000) }}",
        "refused|memory|time",
    ),
    # Recursion.
    "a macro that calls itself": ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recursion"),
    "two macros that call each other": (
        "{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}{{ f() }}",
        "refused|recursion",
    ),
    "deep list to JSON": (_DEEP_LIST + "{{ ns.l | tojson | length }}", "recursion|text"),
    "deep list as text": (_DEEP_LIST + "{{ ns.l }}", "recursion|text"),
    "deep list compared": (
        _DEEP_LIST + "{% set a = ns.l %}" + _DEEP_LIST + "{{ a == ns.l }}",
        "recursion|text",
    ),
    "deep brackets in the source": (
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "recursion|refused",
    ),
    "deep ifs in the source": (
        "{% if 1 %}" * 400 + "x" + "{% endif %}" * 400,
        "recursion|refused|text",
    ),
    "a long chain in the source": (
        "{{ " + " ~ ".join(["1"] * 20000) + " }}",
        "recursion|refused|text|time",
    ),
    # Ways out of the sandbox.
    "class of a list": ("{{ messages.__class__.__mro__[1].__subclasses__() }}", "refused"),
    "class of a string": ("{{ ''.__class__.__mro__ }}", "refused"),
    "globals of a function": ("{{ raise_exception.__globals__['json'] }}", "refused"),
    "globals of lipsum": ("{{ lipsum.__globals__.os.popen('id').read() }}", "refused"),
    "init of cycler": ("{{ cycler.__init__.__globals__.os.system('id') }}", "refused"),
    "init of joiner": ("{{ joiner.__init__.__globals__.os }}", "refused"),
    "init of namespace": ("{{ namespace.__init__.__globals__.os }}", "refused"),
    "underscored name in a namespace": ("{% set ns = namespace(__class__=1) %}", "refused"),
    "attr filter": ("{{ ('' | attr('__class__')).__mro__ }}", "refused"),
    "map to an attribute": (
        "{{ [''] | map(attribute='__class__') | list | first | attr('x') }}",
        "text|refused",
    ),
    "class by format": ("{{ '{0.__class__.__mro__}'.format(1) }}", "refused"),
    "class by format_map": ("{{ '{a.__class__.__mro__}'.format_map({'a': 1}) }}", "refused"),
    "class by indirect format": (
        "{{ ['{0.__class__.__init__}'] | map('format', 1) | list }}",
        "text|refused",
    ),
    "frame of a generator": ("{{ (messages | map('upper')).gi_frame.f_globals }}", "refused"),
    "self of the template": ("{{ self._TemplateReference__context.environment }}", "refused"),
    "self of a loop": (
        "{% for m in messages %}{{ loop.__class__.__init__.__globals__ }}{% endfor %}",
        "refused",
    ),
    "internals of the caller": (
        "{% macro f() %}{{ caller.__globals__.x }}{% endmacro %}{{ f() }}",
        "refused",
    ),
    "a change of the messages": ("{{ messages.append({}) }}", "refused"),
    "a change of a message": ("{{ messages[0].update(role='x') }}", "refused"),
    "the messages emptied": ("{{ messages.clear() }}", "refused"),
    # Files.
    "include": ("{% include '/etc/passwd' %}", "refused"),
    "import": ("{% import '/etc/passwd' as x %}", "refused"),
    "from import": ("{% from '../../secrets.jinja' import key %}", "refused"),
    "extends": ("{% extends '/etc/passwd' %}", "refused"),
    # Not jinja at all.
    "broken syntax": ("{% for m in messages %}", "refused"),
    "unknown filter": ("{{ 1 | no_such_filter }}", "refused"),
    "unknown tag": ("{% system 'id' %}", "refused"),
    "division by zero": ("{{ 1 / 0 }}", "refused"),
    "a huge number as text": ("{% set a = 10 %}{{ a ** 100000 }}", "refused|text"),
}
