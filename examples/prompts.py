"""Prompts of a small support bot: every string shows what it costs."""

SYSTEM = """You are the support bot of a bicycle shop.
Answer in at most two sentences, and ask for the model year when it matters.
"""

EXAMPLES = (
    "Customer: My chain slips.\nBot: Does it slip in every gear, or only in the smallest ones?\n"
    "Customer: Only in the smallest.\nBot: Then the cable is likely too loose.\n"
)


def prompt(question: str) -> str:
    return f"{SYSTEM}\n{EXAMPLES}\nCustomer: {question}\nBot:"
