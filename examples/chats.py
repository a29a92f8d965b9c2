"""Chats as literals: each message shows what it costs, and the chat can be previewed."""

SYSTEM = "You are the support bot of a bicycle shop."

MESSAGES = [
    {"role": "system", "content": f"{SYSTEM} Answer in at most two sentences."},
    {"role": "user", "content": "My chain slips in the smallest gear."},
    {
        "role": "assistant",
        "content": "Then the cable is likely too loose. Turn the barrel adjuster half a turn.",
    },
    {"role": "user", "content": "Which way?"},
]
