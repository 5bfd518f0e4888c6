"""What is shown again and again on one screen of a terminal, fed by what hosts tell."""
