#!/bin/sh
# SPDX-License-Identifier: MIT
# An executor for tests: of each feed of its package some articles and a result, after some time.
#
# usage: collect.sh JOURNAL DELAY_S ARTICLES [EXIT_STATUS [TASK=ARTICLES]]
#	JOURNAL	gets a line when a feed is begun and one when it is done:
#		"begin FEED ALLOCATION ATTEMPT", "end FEED ALLOCATION ATTEMPT"
#	DELAY_S	of each feed, between its articles and its result
#	TASK=ARTICLES	how many a feed of this task has instead
set -eu
journal=$1 delay=$2 articles=$3 status=${4:-0} other=${5:-}
[ "${other%%=*}" != "$CASCADE_TASK_ID" ] || articles=${other#*=}

say() {
    printf '%s %s %s %s\n' "$1" "$2" "$CASCADE_ALLOCATION_ID" "$CASCADE_ATTEMPT" >>"$journal"
}

# As few processes as can be: hundreds of these run at once.
read -r package || :
while [ "${package#*\"id\":\"}" != "$package" ]; do
    package=${package#*\"id\":\"}
    feed=${package%%\"*}
    say begin "$feed"
    printf 'collecting %s\n' "$feed" >&2
    i=0
    while [ "$i" -lt "$articles" ]; do
        i=$((i + 1))
        printf '{"type":"article","article":{"id":"%s_%d","mp_id":"%s","title":"title %d","content":"<p>%s</p>","publish_time":1767225600}}\n' \
            "$CASCADE_ALLOCATION_ID" "$i" "$feed" "$i" "$feed"
    done
    sleep "$delay"
    [ "$status" = 0 ] || break
    printf '{"type":"result","feed_id":"%s","success":true,"article_count":%d}\n' "$feed" "$articles"
    say end "$feed"
done
exit "$status"
