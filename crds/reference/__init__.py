"""The pages of docs/ that follow from the models. Text in, text out: `generate` writes them."""
