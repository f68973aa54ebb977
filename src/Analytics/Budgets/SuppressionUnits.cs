namespace EmrMarket.Analytics.Budgets;

/// <summary>
/// Records are published in units of equal site, Public values, profile and asks. A unit of fewer than 20 distinct persons would single its
/// members out; its records join the unit of the nearest stricter profile with the same Public values, and where there is none they are
/// withheld.
/// </summary>
public static class SuppressionUnits
{
    /// <summary>The least number of distinct persons of a unit.</summary>
    public const int MinPersons = 20;

    /// <summary>The mark of a withheld record.</summary>
    public const int Withheld = -1;

    /// <summary>
    /// The profile under which each record is published. Units are visited from the most generous profile down, so that what joined a unit
    /// on the way counts for it. O(n log n).
    /// </summary>
    /// <param name="menu">The schema's profiles.</param>
    /// <param name="grades">The ladder of losses.</param>
    /// <param name="cells">
    /// Per record a number for its combination of Public values (and asks): records of different cells never share a unit.
    /// </param>
    /// <param name="profiles">Per record the index of its profile in the menu, or <see cref="Withheld"/>.</param>
    /// <param name="persons">Per record its person.</param>
    /// <param name="minPersons">The least number of distinct persons of a unit, at least 1.</param>
    /// <returns>
    /// Per record the index of the profile of its unit, or <see cref="Withheld"/>; never more generous in any field than its own profile.
    /// </returns>
    public static int[] Assign(
        IReadOnlyList<PolicyProfile> menu, GradeLadder grades, ReadOnlySpan<int> cells, ReadOnlySpan<int> profiles,
        ReadOnlySpan<int> persons, int minPersons = MinPersons)
    {
        ArgumentNullException.ThrowIfNull(menu);
        ArgumentOutOfRangeException.ThrowIfLessThan(minPersons, 1);
        if (cells.Length != profiles.Length || persons.Length != profiles.Length)
        {
            throw new ArgumentException(
                $"Every record has a cell, a profile and a person; got {cells.Length}, {profiles.Length} and {persons.Length}.",
                nameof(cells));
        }

        int[] assigned = profiles.ToArray();
        var units = new Dictionary<(int Cell, int Profile), List<int>>();
        for (int record = 0; record < assigned.Length; record++)
        {
            if (assigned[record] != Withheld)
            {
                Members(units, cells[record], assigned[record]).Add(record);
            }
        }

        int[] fromGenerous = [.. Enumerable.Range(0, menu.Count).OrderByDescending(p => menu[p].TotalLoss(grades))];
        int[] cellNumbers = [.. units.Keys.Select(u => u.Cell).Distinct()];
        foreach (int profile in fromGenerous)
        {
            int stricter = NearestStricter(menu, grades, profile);
            foreach (int cell in cellNumbers)
            {
                if (!units.TryGetValue((cell, profile), out List<int>? members) || DistinctPersons(members, persons) >= minPersons)
                {
                    continue;
                }

                foreach (int record in members)
                {
                    assigned[record] = stricter;
                }

                if (stricter != Withheld)
                {
                    Members(units, cell, stricter).AddRange(members);
                }

                units.Remove((cell, profile));
            }
        }

        return assigned;
    }

    /// <summary>
    /// The profile that is stricter or equal in every field and lower in total, and gives away least; <see cref="Withheld"/> when there is
    /// none.
    /// </summary>
    private static int NearestStricter(IReadOnlyList<PolicyProfile> menu, GradeLadder grades, int profile)
    {
        EpsilonMicro own = menu[profile].TotalLoss(grades);
        return Enumerable.Range(0, menu.Count)
            .Where(p => menu[p].IsAtLeastAsStrictAs(menu[profile]) && menu[p].TotalLoss(grades) < own)
            .OrderByDescending(p => menu[p].TotalLoss(grades))
            .FirstOrDefault(Withheld);
    }

    private static int DistinctPersons(List<int> members, ReadOnlySpan<int> persons)
    {
        var distinct = new HashSet<int>();
        foreach (int record in members)
        {
            distinct.Add(persons[record]);
        }

        return distinct.Count;
    }

    private static List<int> Members(Dictionary<(int Cell, int Profile), List<int>> units, int cell, int profile)
    {
        if (!units.TryGetValue((cell, profile), out List<int>? members))
        {
            units.Add((cell, profile), members = []);
        }

        return members;
    }
}
