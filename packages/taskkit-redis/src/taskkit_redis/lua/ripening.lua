-- Part of claim: what waits and has become due is let into its line.
--
-- From claim: BUDGET, examined, more.

local function promote(want)
  while examined < BUDGET do
    local groups = call('ZRANGEBYSCORE', P .. 'z:' .. want, '-inf', instant, 'LIMIT', 0, 100)
    if #groups == 0 then
      return
    end
    for _, group in ipairs(groups) do
      local key = P .. 'w:' .. group
      local due = call('ZRANGEBYLEX', key, '-', '(' .. now .. END, 'LIMIT', 0, 1000)
      local members = {}
      for _, member in ipairs(due) do
        members[#members + 1] = 0
        members[#members + 1] = string.sub(member, 19, 21)
          .. string.sub(member, 1, 18)
          .. string.sub(member, 22)
      end
      if #due > 0 then
        call('ZREMRANGEBYRANK', key, 0, #due - 1)
        lines().enter_ready(group, members)
      end
      examined = examined + #due + 1
      lines().settle_alarm(group)
      if #due == 0 then
        -- The score of an instant that a number cannot hold exactly: it is not due yet.
        call('ZADD', P .. 'z:' .. want, string.format('%.0f', instant + 1), group)
      end
    end
  end
  more = true
end
