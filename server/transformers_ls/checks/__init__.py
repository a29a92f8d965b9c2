"""What is wrong with a text as a prompt: too long, control tokens in it, characters nobody sees."""
