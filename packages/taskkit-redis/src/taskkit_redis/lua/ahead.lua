-- Part of claim: when something more becomes claimable by itself.
--
-- From claim: pauses, comes; from permission: permits.

local function look_ahead(want)
  for name, until_then in pairs(pauses) do
    if until_then ~= '' then
      local under = name == '*'
      for _, above in ipairs(lines().lineage(want)) do
        under = under or above == name
      end
      for _, above in ipairs(lines().lineage(name)) do
        under = under or above == want
      end
      if under then
        comes(until_then)
      end
    end
  end
  local from = 0
  while true do
    local page = call('ZRANGE', P .. 'z:' .. want, from, from + 9)
    for _, group in ipairs(page) do
      local permitted, paused = permits(group, want)
      if permitted and paused ~= '' then
        local first = call('ZRANGE', P .. 'w:' .. group, 0, 0)[1]
        if first then
          local due = string.sub(first, 1, 18)
          comes(paused and paused > due and paused or due)
          return
        end
      end
    end
    from = from + #page
    if #page < 10 then
      return
    end
  end
end
