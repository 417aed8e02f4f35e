"""The door for provider webhooks: verify, translate, commit to the local spool, answer. It knows no rules."""
