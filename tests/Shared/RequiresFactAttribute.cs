namespace EmrMarket.Tests.Shared;

/// <summary>A fact that needs tools: a missing one skips it by name on a person's machine and fails it where CI=true.</summary>
/// <remarks>In continuous integration nothing is skipped, so that the body runs and <see cref="Tools.Require"/> fails it.</remarks>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RequiresFactAttribute : FactAttribute
{
    /// <summary>Names the tools.</summary>
    public RequiresFactAttribute(params Tool[] tools) => Skip = Tools.SkipReason(tools);
}

/// <summary>A theory that needs tools; see <see cref="RequiresFactAttribute"/>.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RequiresTheoryAttribute : TheoryAttribute
{
    /// <summary>Names the tools.</summary>
    public RequiresTheoryAttribute(params Tool[] tools) => Skip = Tools.SkipReason(tools);
}
