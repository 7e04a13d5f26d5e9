/* ---
description: The variable `rule` is R1 or R2
--- */
SELECT '{{ var('rule', 'R1') }}' AS rule
WHERE '{{ var('rule', 'R1') }}' NOT IN ('R1', 'R2')
