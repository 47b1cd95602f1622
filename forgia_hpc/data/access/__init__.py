"""Who may do what with data: said in a card, decided before a job queues, counted, taken back.

In the order in which a term travels:

====================  ============================================================================================
`terms`               the short form of a policy in a card, and the ODRL document that it stands for
`odrl`                a document's words: the part of ODRL that can be decided; the rest denies
`verdict`             one policy, one claim: yes, or no with every clause. Pure; `tests/unit/data/vectors`
`policies`            the documents as they lie sealed beside the shards
`judging`             all shards that a job asks for, and who is left in the mix
`granting`            the grant of a job: made on the login node, refused there with all clauses
`grant`               the grant as every rank reads it: compared, judged again, or nothing is opened
`outlook`             the same judgement before there is a job: `forgia data plan`
`usage`               the ledger: what a model has learnt from, in each checkpoint, signed
`leaving`             may values (export) or a model (publish-check) leave?
`model_card`          what the ledger says, beside the model
`withdraw_plan`       what a withdrawal will do, before anything is touched
`withdraw`            tombstone, new versions, files and keys gone
`taint`               from a withdrawal: which checkpoints and models have seen it
`taken_back`          from a model: what of it was withdrawn since
====================  ============================================================================================

Keys, signatures and tombstones as such are in `data.crypto`.
"""
