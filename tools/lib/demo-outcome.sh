# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What became of the demo's job: the tables of who did what, and the proof that it is what it should
# be. Needs common.sh, and of tools/demo $dir, $data, $task, $victim, $victim_node and its functions
# to speak with the parent and with people.

# The allocations of the task with all their attempts, in outcome.json.
read_outcome() {
    local urls=$dir/tmp/urls
    api "/allocations?task_id=$task&limit=200" >"$dir/tmp/list.json"
    jq -r --arg base "$CASCADE_URL$mount/allocations/" '.data.list[] | "url = \"\($base)\(.id)\""' \
        "$dir/tmp/list.json" >"$urls"
    api_curl -K "$urls" | jq -s 'map(.data)' >"$dir/outcome.json"
    ctl --json feed list >"$dir/tmp/feeds.json"
}

# The articles that there should be, and those that there are: "stored id, title", one a line. A
# list is named by the account's number in base64 without padding.
read_articles() {
    jq -r '(input_filename | sub(".*/"; "") | rtrimstr(".json") | @base64d) as $account
        | .app_msg_list[] | "\($account)-\(.aid)\t\(.title)"' "$data"/lists/*.json |
        LC_ALL=C sort >"$dir/tmp/articles-bundled"
    mariadb --no-defaults -S "$CASCADE_DB_SOCKET" --default-character-set=utf8mb4 -N -B \
        -e 'SELECT id, title FROM we_articles' "$CASCADE_DB_NAME" |
        LC_ALL=C sort >"$dir/tmp/articles-stored"
}

# Columns, for jq.
# shellcheck disable=SC2016 # its variables
columns='def left($n): tostring | . + " " * ([$n - length, 0] | max);
    def right($n): tostring | " " * ([$n - length, 0] | max) + .;'

show_feeds() {
    tell '\n公众号             文章  由谁完成' '\nfeed               articles  by whom'
    jq -r --slurpfile feeds "$dir/tmp/feeds.json" --argjson width "$(text 4 8)" "$columns"'
        (reduce $feeds[0][] as $feed ({}; .[$feed.id] = $feed.mp_name)) as $names
        | sort_by(.feed_ids)[]
        | .feed_ids[0] as $id
        | (.article_count | right($width)) as $articles
        | (.attempts
            | map(.node_name + if .outcome == "completed" then "" else " (\(.outcome))" end)
            | join(" > ") | left(31)) as $path
        | "\($id)  \($articles)  \($path) \($names[$id])"
        ' "$dir/outcome.json"
}

show_nodes() {
    tell '\n节点       完成  文章  丢失' '\nnode       completed  articles  lost'
    jq -r --argjson widths "$(text '[4,4,4]' '[9,8,4]')" "$columns"'
        . as $all | [.[].attempts[] | {id: .node_id, name: .node_name}] | unique | sort_by(.name)[]
        | . as $node
        | [$all[] | select(.node_id == $node.id)] as $done
        | [$all[].attempts[] | select(.node_id == $node.id and .outcome != "completed")] as $lost
        | [($node.name | left(9)), ($done | length | right($widths[0])),
            ($done | map(.article_count) | add // 0 | right($widths[1])),
            ($lost | length | right($widths[2]))]
        | join("  ")' "$dir/outcome.json"
}

# How the work of the killed child went on.
show_reassignment() {
    jq -r --arg id "$victim" '.[] | select(.id == $id) | .feed_ids[0] as $feed | .attempts[]
        | "\($feed)  #\(.attempt)  \(.node_name)  \(.started_at) - \(.ended_at)  \(.outcome)"' \
        "$dir/outcome.json"
}

wrong=0

# claim ZH EN COMMAND...: says whether COMMAND agrees.
claim() {
    local said
    said=$(text "$1" "$2")
    shift 2
    if "$@"; then
        tell '  通过  %s' '  ok      %s' "$said"
    else
        tell '  不符  %s' '  WRONG   %s' "$said"
        wrong=$((wrong + 1))
    fi
}

outcome_is() {
    jq -e --slurpfile feeds <(tail -n +2 "$data/feeds.csv" | cut -d, -f1 | jq -R .) \
        --arg victim "$victim" --arg node "$victim_node" "$1" "$dir/outcome.json" >/dev/null
}

# Differences are left to be read.
articles_are_the_bundled() {
    diff "$dir/tmp/articles-bundled" "$dir/tmp/articles-stored" >"$dir/articles.diff" &&
        rm "$dir/articles.diff"
}

# shellcheck disable=SC2016 # jq's variables
verify_outcome() {
    local bundled
    bundled=$(wc -l <"$dir/tmp/articles-bundled")
    tell '\n核对' '\nchecks'
    claim "$total 个公众号各完成且只完成一次" "each of $total feeds completed exactly once" outcome_is '
        (map(.feed_ids[]) | sort) == ($feeds | sort)
        and all(.[]; .status == "completed"
            and (.attempts | map(select(.outcome == "completed")) | length) == 1)'
    claim '3 个节点都完成了工作' '3 nodes took part' outcome_is 'map(.node_id) | unique | length == 3'
    claim "存下的文章正是自带的 $bundled 篇" "the articles stored are the $bundled bundled ones" \
        articles_are_the_bundled
    claim '只有被杀节点手里的那一个被重新分配' 'only what the killed child held was reassigned' outcome_is '
        map(select(.attempts | length > 1)) | length == 1 and (.[0] | .id == $victim
            and (.attempts | length) == 2 and .attempts[0].outcome == "node_lost"
            and .attempts[0].node_id == $node and .attempts[1].node_id != $node)'
    [ "$wrong" = 0 ]
}
