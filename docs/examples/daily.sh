#!/bin/sh
# Yesterday's calls: reconcile, forecast anew, and compare with the forecast in use. Exits with 1 where one of them
# raises an alarm, with the code of the first mistake otherwise.
#
#   daily.sh DECISIONS.jsonl RULES.yaml RUNS [DAY]
#
# RUNS/current is the replay whose forecast is in use; the first run makes it, and replacing it is your decision.
set -u
decisions=$1 rules=$2 runs=$3
day=${4:-$(date -u -d yesterday +%F 2>/dev/null || date -u -v-1d +%F)}
out=$runs/$day
mkdir -p "$out"

# 1. Ingest: the decision log's lines of that day.
grep "\"timestamp\":\"$day" "$decisions" > "$out/calls.jsonl" || { echo "no call on $day in $decisions"; exit 3; }

failed=0
step() { "$@"; code=$?; [ "$failed" -ne 0 ] || failed=$code; }

# 2. Reconcile: costs recorded in the log against the price of the day, and the day's invoice where INVOICE_USD holds it.
step backroute inspect "$out/calls.jsonl" ${INVOICE_USD:+--invoice-usd "$INVOICE_USD"} > "$out/bill.txt"

# 3. Report anew: what the day would have cost under the rules, with its own interval.
step backroute replay "$out/calls.jsonl" --rules "$rules" --out "$out" --allow-incomplete > "$out/savings.txt"
[ -e "$runs/current" ] || ln -s "$day" "$runs/current"

# 4. Drift: the day against the forecast in use.
step backroute monitor "$out/calls.jsonl" --against "$runs/current" --page "$out/monitor.html" > "$out/monitor.txt"

head -n 3 "$out/monitor.txt"
exit "$failed"
