"""
Judge what goes to a model and what comes back: who is being talked into something, and who says what must not be said.

Pure but for what guards are given to ask with. `guard` says what a guard is and may be implemented by anybody;
`passages` is what one sees of a request, `injection` and `checks` are the gateway's own, `spotlight` and `canary` change
prompts so that attacks fail or show.
"""
