"""Guards of the suppliers' door: what is told to be safe is, nobody speaks for another, harm costs little."""

from typing import Final

from tests.mutants.mutant import Mutant

_GATEWAY: Final = "tests/deploy/gateway/"
_ROUTES: Final = _GATEWAY + "test_routes.py::"
_STRANGERS: Final = _GATEWAY + "test_strangers.py::"
_HOSTILE: Final = _GATEWAY + "test_hostile_bodies.py::"
_UNPACKED: Final = _HOSTILE + "test_no_more_is_unpacked_than_is_allowed"

MUTANTS: Final = (
    Mutant(
        "nobody-is-told-before-the-spool-has-it",
        4,
        "deploy/gateway/commits.py",
        "            await loop.run_in_executor(self._thread, self._writer.append, records)",
        "            loop.run_in_executor(self._thread, self._writer.append, records)",
        "what got a 202 is lost with the process",
        (_ROUTES + "test_a_spool_that_cannot_be_written_is_503_and_heals_by_itself",),
    ),
    Mutant(
        "nobody-is-told-before-kafka-acknowledges",
        4,
        "deploy/gateway/commits.py",
        "            async with asyncio.timeout(patience):\n                await self._publisher.send(records)",
        "            async with asyncio.timeout(patience):\n"
        "                asyncio.ensure_future(self._publisher.send(records))",
        "what got a 202 is lost where Kafka does not take it",
        (_GATEWAY + "test_commits.py::test_a_kafka_of_ones_own_acknowledges_before_anybody_is_told",),
    ),
    Mutant(
        "a-key-gets-one-answer",
        3,
        "deploy/gateway/routes.py",
        "            if key is None:",
        "            if key is None or key:",
        "whoever lost an answer is never told what it was",
        (_ROUTES + "test_the_same_key_gets_the_same_answer",),
    ),
    Mutant(
        "nobody-speaks-for-another",
        2,
        "deploy/gateway/intake.py",
        "    if grant.may_say(event.source, kind := event.type):",
        "    if grant.may_say(grant.sources[0], kind := event.type):",
        "a supplier corrects and retracts the events of another",
        (_STRANGERS + "test_of_anothers_event_the_answer_is_that_of_one_that_does_not_exist",),
    ),
    Mutant(
        "nobody-is-told-of-anothers-event",
        7,
        "deploy/gateway/routes.py",
        "        if not grant.speaks_for(source):\n            raise Problem(403",
        "        if not grant.sources:\n            raise Problem(403",
        "a supplier reads what another has sent",
        (_STRANGERS + "test_of_anothers_event_the_answer_is_that_of_one_that_does_not_exist",),
    ),
    Mutant(
        "rejections-are-ones-own",
        7,
        "deploy/gateway/sql/rejections.sql",
        "source) OR has({sources:Array(String)}, '*') OR origin = {own:String})",
        "source) OR 1)",
        "a supplier reads what of another was refused",
        (_GATEWAY + "test_told.py::test_nobody_is_told_of_another_sources_events",),
    ),
    Mutant(
        "rejections-are-asked-for-the-tokens-sources",
        7,
        "deploy/gateway/routes.py",
        "rejections(self._parts.store, grant.sources, since",
        'rejections(self._parts.store, ("*",), since',
        "a supplier reads what of all others was refused",
        (_ROUTES + "test_rejections_are_those_of_the_tokens_sources",),
    ),
    Mutant(
        "captures-are-ones-own",
        7,
        "deploy/gateway/epcis.py",
        "if job is None or job.grant.name != grant.name:",
        "if job is None:",
        "a supplier reads what another has captured",
        (_STRANGERS + "test_anothers_captures_and_their_events_do_not_exist",),
    ),
    Mutant(
        "a-secret-is-found-by-its-hash",
        2,
        "deploy/tokens.py",
        "found = self._fresh().by_hash.get(_hash(secret))",
        "found = next(iter(self._fresh().by_hash.values()), None)",
        "anything that looks like a secret is one",
        (_ROUTES + "test_without_a_good_token_everything_is_the_same_401",),
    ),
    Mutant(
        "a-wrong-event-rolls-its-document-back",
        4,
        "deploy/gateway/capturing.py",
        '            if errors and job.behaviour == "rollback":',
        '            if errors and job.behaviour == "never":',
        "half of a document is captured whose sender was told that nothing was",
        (_GATEWAY + "test_epcis.py::test_one_wrong_event_rolls_all_back_and_is_named",),
    ),
    Mutant(
        "gzip-is-bounded-while-it-is-unpacked",
        8,
        "deploy/gateway/bodies.py",
        "one.decompress(rest, room), most",
        "one.decompress(rest), most",
        "64 KiB of a body take 64 MiB of memory",
        (_UNPACKED + "[gzip]",),
    ),
    Mutant(
        "zstd-is-bounded-while-it-is-unpacked",
        8,
        "deploy/gateway/bodies.py",
        "            if room < 0:\n                raise too_large(most)\n        return",
        "            if not most:\n                raise too_large(most)\n        return",
        "64 KiB of a body take all the memory there is",
        (_UNPACKED + "[zstd]",),
    ),
    Mutant(
        "counting-events-remembers-nothing",
        8,
        "deploy/gateway/bodies.py",
        r"""rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[][{},]'""",
        r"""rb'"(?:[^"\\]|\\.)*"?|[][{},]'""",
        "one long text takes a hundred times its size of memory",
        (_HOSTILE + "test_it_is_refused_with_a_sentence_and_costs_little[one text of commas and letters]",),
    ),
    Mutant(
        "a-head-has-an-end",
        8,
        "deploy/gateway/connections.py",
        "        if self._unread > HEAD_BYTES:",
        "        if self._unread < 0:",
        "whoever sends headers without end, without any token, takes all the memory there is",
        (_HOSTILE + "test_what_has_no_end_is_broken_off[headers]",),
    ),
)
