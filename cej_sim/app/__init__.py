"""The trainer's room: a browser app that shows power moving.

Whole histories are computed here in milliseconds, sent once, and played, scrubbed and compared in the browser.

``history`` computes them and packs what the browser needs; ``levers``, ``whatif`` and ``share`` say what may be changed
and what a link restores; ``stories`` and ``export`` make guided stories and pages that play without Python; ``believe``
says why to believe any of it; ``texts`` holds all the words, ``front`` joins our own JavaScript and style sheets.
``page`` and ``server`` are the only modules that know Solara.
"""
