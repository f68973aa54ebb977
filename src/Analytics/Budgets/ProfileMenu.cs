using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Analytics.Budgets;

/// <summary>The menu of profiles: what is published of a person's choice is one of a few, so that a choice singles nobody out.</summary>
public static class ProfileMenu
{
    /// <summary>
    /// The built-in menu around a schema's default ceilings: every field one grade lower, as it is, and one grade higher; private
    /// attributes withheld; all withheld.
    /// </summary>
    internal static IReadOnlyList<ProfileDocument> Default(GradeLadder grades, TierCeilings ceilings)
    {
        int Shift(int grade, int by) => grade == 0 ? 0 : Math.Clamp(grade + by, 1, grades.Count);
        ProfileDocument At(string name, int by) =>
            new() { Name = name, Ceilings = new TierCeilings(
                Shift(ceilings.Low, by), Shift(ceilings.Moderate, by), Shift(ceilings.Private, by)) };
        return
        [
            new ProfileDocument { Name = "withheld", Ceilings = new TierCeilings(0, 0, 0) },
            new ProfileDocument { Name = "reserved", Ceilings = At("", -1).Ceilings with { Private = 0 } },
            At("conservative", -1),
            At("balanced", 0),
            At("generous", 1),
        ];
    }

    /// <summary>
    /// The profile of the menu that is published for a person's own choice: among those that are stricter or equal in every field, the one
    /// that gives away least of what the person allowed (the largest total loss; then the first in the menu). Null when none is, and the
    /// person is then withheld.
    /// </summary>
    /// <param name="schema">The schema, whose menu is used.</param>
    /// <param name="wish">The person's own choice.</param>
    public static PolicyProfile? NearestStricter(Schema schema, PolicyProfile wish)
    {
        ArgumentNullException.ThrowIfNull(schema);
        return schema.Profiles.Where(p => p.IsAtLeastAsStrictAs(wish)).MaxBy(p => p.TotalLoss(schema.Grades));
    }
}
