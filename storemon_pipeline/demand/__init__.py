"""Expected sales of stores: what they are loaded from, and how much of them an outage costs."""
