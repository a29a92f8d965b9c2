"""`python -m transformers_ls` is the command `transformers-ls`."""

from transformers_ls.cli import main

if __name__ == "__main__":
    main()
