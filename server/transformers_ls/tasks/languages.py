"""Languages as prompts name them, and solved translations into them."""

from __future__ import annotations

__all__ = ["language_name", "solved_pairs"]

# A statement, a question, an order, a statement: with fewer shapes a small base model answers in the
# shape it saw last. They are short, since each prompt carries them all.
_PAIRS = {
    "English": (
        "The cat is sleeping on the sofa.",
        "How much does this book cost?",
        "Click the button to save your file.",
        "The program shows a message when the computer is ready.",
    ),
    "French": (
        "Le chat dort sur le canapé.",
        "Combien coûte ce livre ?",
        "Cliquez sur le bouton pour enregistrer votre fichier.",
        "Le programme affiche un message quand l'ordinateur est prêt.",
    ),
    "German": (
        "Die Katze schläft auf dem Sofa.",
        "Wie viel kostet dieses Buch?",
        "Klicken Sie auf die Schaltfläche, um Ihre Datei zu speichern.",
        "Das Programm zeigt eine Nachricht an, wenn der Computer bereit ist.",
    ),
    "Spanish": (
        "El gato duerme en el sofá.",
        "¿Cuánto cuesta este libro?",
        "Haga clic en el botón para guardar su archivo.",
        "El programa muestra un mensaje cuando el ordenador está listo.",
    ),
    "Italian": (
        "Il gatto dorme sul divano.",
        "Quanto costa questo libro?",
        "Fai clic sul pulsante per salvare il file.",
        "Il programma mostra un messaggio quando il computer è pronto.",
    ),
    "Portuguese": (
        "O gato está dormindo no sofá.",
        "Quanto custa este livro?",
        "Clique no botão para salvar o arquivo.",
        "O programa mostra uma mensagem quando o computador está pronto.",
    ),
    "Dutch": (
        "De kat slaapt op de bank.",
        "Hoeveel kost dit boek?",
        "Klik op de knop om je bestand op te slaan.",
        "Het programma toont een bericht wanneer de computer klaar is.",
    ),
}

_CODES = {
    "en": "English",
    "fr": "French",
    "de": "German",
    "es": "Spanish",
    "it": "Italian",
    "pt": "Portuguese",
    "nl": "Dutch",
}


def language_name(language: str) -> str:
    """Return a language as prompts name it: "fr" and "french" are "French"; others stay."""
    plain = language.strip()
    return _CODES.get(plain.lower(), plain[:1].upper() + plain[1:])


def solved_pairs(language: str) -> str:
    """Return solved translations into a language, for a base model; empty where there are none.

    A base model copies the pattern of its prompt, so the pairs must end in the wanted language.
    """
    source = "French" if language == "English" else "English"
    if language not in _PAIRS:
        return ""
    pairs = zip(_PAIRS[source], _PAIRS[language], strict=True)
    return "".join(f"{source}: {given}\n{language}: {wanted}\n\n" for given, wanted in pairs)
